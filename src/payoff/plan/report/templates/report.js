(function () {
  "use strict";
  var root = document.documentElement;

  var button = document.getElementById("theme");
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function stored(value) {
    try {
      if (value) { window.localStorage.setItem("payoff-theme", value); }
      return window.localStorage.getItem("payoff-theme");
    } catch (error) { return null; }
  }
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }
  function name() { button.textContent = isDark() ? "Light theme" : "Dark theme"; }
  var kept = stored();
  if (kept === "dark" || kept === "light") { root.dataset.theme = kept; }
  button.hidden = false;
  button.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  name();

  document.querySelectorAll("table.sortable").forEach(function (table) {
    var heads = Array.from(table.tHead.rows[0].cells);
    var body = table.tBodies[0];
    function sort(head, index) {
      var down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      Array.from(body.rows)
        .map(function (row) { return { row: row, key: row.cells[index].dataset.key }; })
        .sort(function (a, b) {
          if (!a.key || !b.key) { return (a.key ? 0 : 1) - (b.key ? 0 : 1); }
          return down ? b.key - a.key : a.key - b.key;
        })
        .forEach(function (entry) { body.appendChild(entry.row); });
    }
    heads.forEach(function (head, index) {
      if (!head.hasAttribute("data-sort")) { return; }
      var control = document.createElement("button");
      control.type = "button";
      control.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(control);
      control.addEventListener("click", function () { sort(head, index); });
    });
  });

  window.addEventListener("beforeprint", function () {
    document.querySelectorAll(".findings details").forEach(function (part) { part.open = true; });
  });
})();
