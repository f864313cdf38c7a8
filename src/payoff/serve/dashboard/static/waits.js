(function () {
  "use strict";
  // What the page shows is being added up: ask again.
  window.setTimeout(function () { window.location.reload(); }, 1500);
})();
