// A wide formula or table scrolls in its own box; where it does, the keyboard must reach it.

const check = () => {
  for (const box of document.querySelectorAll(".formula.block, .md-typeset__scrollwrap")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0
    } else {
      box.removeAttribute("tabindex")
    }
  }
}

new ResizeObserver(check).observe(document.body)
