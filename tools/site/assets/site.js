// What the theme leaves out for those who use a keyboard or a screen reader.
"use strict";

document.querySelector(".md-search")?.setAttribute("aria-label", "Search");

// What scrolls must be reachable by keyboard, and only what scrolls. An observer is told once the
// page is laid out, so that measuring does not make the browser lay it out in between.
{
  const SCROLLS = ".md-typeset__scrollwrap, .formula, pre > code";
  const sizes = new ResizeObserver((changes) => {
    for (const { target: box } of changes) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  });
  const content = document.querySelector(".md-content");
  for (const box of content.querySelectorAll(SCROLLS)) sizes.observe(box);

  // The theme wraps tables in boxes once the page is there.
  new MutationObserver((changes) => {
    for (const added of changes.flatMap((change) => [...change.addedNodes])) {
      if (added.matches?.(SCROLLS)) sizes.observe(added);
    }
  }).observe(content, { childList: true, subtree: true });
}
