// What scrolls must be reachable by keyboard, and only what scrolls. The theme wraps tables itself.
function reach() {
  for (const box of document.querySelectorAll(".formula, .md-typeset__scrollwrap")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

reach();
addEventListener("load", reach);
addEventListener("resize", reach);

// The page has the whole file as JSON, because `fetch` cannot read from disk.
const button = document.getElementById("copy-file");
const said = document.getElementById("copied");
const file = document.getElementById("source-file");

if (button && file && navigator.clipboard) {
  button.classList.add("ready");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(JSON.parse(file.textContent));
      said.textContent = "Copied.";
    } catch {
      said.textContent = "The browser does not allow copying: download the file instead.";
    }
  });
}
