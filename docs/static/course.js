// What scrolls inside itself must be reachable by keyboard: a wide table, output or formula gets into the tab order.
function makeScrollable() {
  const wide = document.querySelectorAll(".bd-content pre, .bd-content table, .bd-content div.math");
  for (const element of wide) {
    if (element.scrollWidth > element.clientWidth + 1) {
      element.tabIndex = 0;
    } else if (element.dataset.scrolls) {
      element.removeAttribute("tabindex");
    }
    if (element.tabIndex === 0) element.dataset.scrolls = "yes";
  }
}

window.addEventListener("load", makeScrollable);
window.addEventListener("resize", makeScrollable);
