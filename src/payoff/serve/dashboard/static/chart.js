(function () {
  "use strict";
  if (!window.uPlot) { return; }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }
  function short(value) {
    var size = Math.abs(value);
    return size >= 1e6 ? value / 1e6 + "M" : size >= 1000 ? value / 1000 + "k" : String(value);
  }
  function isSet(value) {
    return value !== null && value !== undefined;
  }

  function show(box) {
    var spec = JSON.parse(box.dataset.chart);
    var said = JSON.parse(box.dataset.names);
    var n = spec.names.length;
    var oneYear = n > 0 && spec.names[0].slice(0, 4) === spec.names[n - 1].slice(0, 4);
    var chart = null;

    function money(plot, value) {
      return isSet(value)
        ? value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: Math.abs(value) < 0.1 ? 4 : 2 }) + " " + box.dataset.currency
        : "–";
    }
    function day(place) {
      var name = spec.names[place] || "";
      return oneYear && n > 1 && name.length > 7 ? name.slice(5) : name;
    }
    // Every so many a name, so that the newest has one and none is written over another.
    function places(plot) {
      var wide = oneYear && n && spec.names[0].length > 7 ? 58 : 88;
      var most = Math.max(1, Math.floor(plot.bbox.width / devicePixelRatio / wide));
      var step = Math.max(1, Math.ceil(n / most));
      var found = [];
      for (var place = n - 1; place >= 0; place -= step) { found.unshift(place); }
      return found;
    }
    function axis(more) {
      return Object.assign({
        stroke: colour("soft"),
        grid: { stroke: colour("rule"), width: 1 },
        ticks: { show: false },
        font: "12px " + getComputedStyle(document.body).fontFamily
      }, more);
    }
    function zero(plot) {
      var y = Math.round(plot.valToPos(0, "y", true));
      var context = plot.ctx;
      context.save();
      context.strokeStyle = colour("soft");
      context.lineWidth = devicePixelRatio;
      context.beginPath();
      context.moveTo(plot.bbox.left, y);
      context.lineTo(plot.bbox.left + plot.bbox.width, y);
      context.stroke();
      context.restore();
    }
    // A line of one day would be a dot: it is drawn across.
    function alone(plot) {
      if (n !== 1 || !spec.line || !isSet(spec.line[0])) { return; }
      var y = Math.round(plot.valToPos(spec.line[0], "y", true));
      var context = plot.ctx;
      context.save();
      context.strokeStyle = colour("ink");
      context.lineWidth = 1.5 * devicePixelRatio;
      context.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      context.beginPath();
      context.moveTo(plot.bbox.left, y);
      context.lineTo(plot.bbox.left + plot.bbox.width, y);
      context.stroke();
      context.restore();
    }
    function bars() {
      var series = [{ label: said.bars, stroke: colour("gain"), fill: colour("gain-2"), width: 1, value: money,
        paths: uPlot.paths.bars({ size: [0.7, 56] }), points: { show: false } }];
      var data = [spec.bars];
      if (spec.line.some(isSet)) {
        data.push(spec.line);
        series.push({ label: said.line, stroke: colour("ink"), width: 1.5, dash: [6, 4], value: money,
          points: { show: false } });
      }
      return { data: data, series: series, bands: [] };
    }
    function intervals() {
      var edge = { stroke: colour("gain-3"), width: 1, value: money, points: { show: n === 1 } };
      return {
        data: [spec.high, spec.low, spec.estimate],
        series: [
          Object.assign({ label: said.high }, edge),
          Object.assign({ label: said.low }, edge),
          { label: said.estimate, stroke: colour("gain"), width: 2, value: money,
            points: { show: n < 40, size: 6, fill: colour("gain") } }
        ],
        bands: [{ series: [1, 2], fill: colour("gain-1") }]
      };
    }
    function range(plot, low, high) {
      if (spec.limits) { low = spec.limits[0]; high = spec.limits[1]; }
      return uPlot.rangeNum(Math.min(0, low || 0), Math.max(0, high || 0), 0.1, true);
    }
    function draw() {
      if (chart) { chart.destroy(); }
      var made = spec.kind === "bars" ? bars() : intervals();
      var numbers = spec.names.map(function (name, place) { return place; });
      chart = new uPlot({
        width: box.clientWidth,
        height: box.clientWidth < 500 ? 220 : 280,
        scales: {
          x: { time: false, range: function () { return [-0.6, n - 0.4]; } },
          y: { range: range }
        },
        axes: [
          axis({ size: 34, grid: { show: false }, splits: places, values: function (plot, found) { return found.map(day); } }),
          axis({ size: 62, values: function (plot, values) { return values.map(short); } })
        ],
        series: [{ label: said.x, value: function (plot, place) { return isSet(place) ? spec.names[place] : "–"; } }].concat(made.series),
        bands: made.bands,
        hooks: { draw: [zero, alone] },
        cursor: { drag: { x: false, y: false } }
      }, [numbers].concat(made.data), box);
    }
    draw();
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    var width = box.clientWidth;
    new ResizeObserver(function () {
      if (box.clientWidth !== width) { width = box.clientWidth; draw(); }
    }).observe(box);
  }

  document.querySelectorAll(".chart[data-chart]").forEach(show);
})();
