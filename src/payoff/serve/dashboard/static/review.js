(function () {
  "use strict";
  var form = document.getElementById("review");
  if (!form) { return; }
  var other = document.getElementById("other");
  var all = document.getElementById("all");
  var skip = document.getElementById("skip");

  function chosen() {
    return other.value.trim() !== "" || form.querySelector("input[name=label]:checked") !== null;
  }
  function tick() {
    form.querySelectorAll("input[name=also]").forEach(function (box) { box.checked = all.checked; });
  }
  if (all) { all.addEventListener("change", tick); }
  form.addEventListener("change", function (event) {
    if (event.target.name === "label") { other.value = ""; }
    if (event.target === other && other.value.trim() !== "") {
      var before = form.querySelector("input[name=label]:checked");
      if (before) { before.checked = false; }
    }
  });
  form.addEventListener("submit", function (event) {
    if (!chosen()) { event.preventDefault(); other.focus(); }
  });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    var typing = event.target === other;
    if (typing) {
      if (event.key === "Escape") { other.blur(); }
      return;
    }
    if (event.key === "Enter") {
      if (event.target.closest("a, button, summary")) { return; }
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "/") {
      event.preventDefault();
      other.focus();
    } else if (event.key === "s") {
      skip.click();
    } else if (event.key === "a" && all) {
      all.checked = !all.checked;
      tick();
    } else {
      var radio = form.querySelector('input[data-key="' + (/^[1-9]$/.test(event.key) ? event.key : "none") + '"]');
      if (radio) { radio.checked = true; radio.focus(); other.value = ""; }
    }
  });
})();
