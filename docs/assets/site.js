// What the theme leaves out for those who use a keyboard or a screen reader.

document.querySelector(".md-search")?.setAttribute("aria-label", "Search");

function focusable() {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

// The theme wraps tables once the page is there, one by one: measuring each time would be slow.
let waiting = 0;
new MutationObserver(() => {
  waiting ||= setTimeout(() => {
    waiting = 0;
    focusable();
  }, 100);
}).observe(document.querySelector(".md-content"), {
  childList: true,
  subtree: true,
});
addEventListener("resize", focusable);
