(function () {
  "use strict";
  var box = document.getElementById("money");
  if (!box || !window.uPlot) { return; }
  var days = JSON.parse(box.dataset.days);
  var chart = null;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }
  function column(name) {
    return days.map(function (day) { return day[name]; });
  }
  function money(plot, value) {
    return value === null || value === undefined ? "–"
      : value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 2 }) + " " + box.dataset.currency;
  }
  function axis(more) {
    return Object.assign({
      stroke: colour("soft"),
      grid: { stroke: colour("rule"), width: 1 },
      ticks: { show: false },
      font: "12px " + getComputedStyle(document.body).fontFamily
    }, more);
  }
  function short(value) {
    return Math.abs(value) >= 1000 ? value / 1000 + "k" : String(value);
  }
  function draw() {
    if (chart) { chart.destroy(); }
    var data = [column("time_s"), column("worth")];
    var series = [
      { value: function (plot, time) { return time ? new Date(time * 1000).toISOString().slice(0, 10) : "–"; }, label: box.dataset.day },
      { label: box.dataset.worth, stroke: colour("gain"), fill: colour("gain-2"), width: 1, value: money,
        paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } }
    ];
    if (days.some(function (day) { return day.realised !== null; })) {
      data.push(column("realised"));
      series.push({ label: box.dataset.realised, stroke: colour("caution"), width: 2, value: money,
        paths: uPlot.paths.points ? uPlot.paths.points() : function () { return null; },
        points: { show: true, size: 7, fill: colour("caution") } });
    }
    if (days.some(function (day) { return day.forecast !== null; })) {
      data.push(column("forecast"));
      series.push({ label: box.dataset.forecast, stroke: colour("ink"), width: 1.5, dash: [6, 4], value: money, points: { show: false } });
    }
    chart = new uPlot({
      width: box.clientWidth,
      height: box.clientWidth < 500 ? 220 : 280,
      tzDate: function (time) { return uPlot.tzDate(new Date(time * 1000), "UTC"); },
      scales: {
        x: { range: function (plot, low, high) { return [low - 43200, high + 43200]; } },
        y: { range: function (plot, low, high) { return uPlot.rangeNum(Math.min(0, low), Math.max(0, high), 0.1, true); } }
      },
      axes: [
        axis({ grid: { show: false }, values: function (plot, times) {
          return times.map(function (time) { return new Date(time * 1000).toISOString().slice(5, 10); });
        }, incrs: [86400, 172800, 432000, 604800, 864000], space: 55 }),
        axis({ size: 62, values: function (plot, values) { return values.map(short); } })
      ],
      series: series,
      cursor: { drag: { x: false, y: false } }
    }, data, box);
  }
  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  var width = box.clientWidth;
  new ResizeObserver(function () {
    if (box.clientWidth !== width) { width = box.clientWidth; draw(); }
  }).observe(box);
})();
