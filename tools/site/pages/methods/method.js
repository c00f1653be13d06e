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
