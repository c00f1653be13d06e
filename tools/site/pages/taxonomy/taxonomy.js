// Filters the map of the taxonomy. What is asked for is kept in the address.
"use strict";

{
  const form = document.querySelector("form.map-tools");
  const map = document.querySelector(".map");
  const nodes = [...map.querySelectorAll("li")];
  const folds = [...map.querySelectorAll("details")];
  const said = form.querySelector("output");
  const words = new Map(nodes.map((node) => [node, filters.fold(node.dataset.words)]));
  let openBefore = null; // which folds were open before a filter opened them all

  const fits = (node, wanted, gaps) =>
    wanted.every((word) => words.get(node).includes(word)) &&
    (!gaps || node.classList.contains("missing"));

  function show() {
    const text = form.words.value.trim();
    const gaps = form.gaps.checked;
    const wanted = filters.words(text);
    const shown = new Set();
    let found = 0;
    for (const node of nodes) {
      if (!fits(node, wanted, gaps)) continue;
      found += 1;
      // what is above it leads to it; what is below it belongs to it
      for (let at = node; at; at = at.parentElement.closest("li")) shown.add(at);
      if (!gaps) for (const below of node.querySelectorAll("li")) shown.add(below);
    }
    for (const node of nodes) node.hidden = !shown.has(node);
    for (const section of map.querySelectorAll("section")) {
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    const filtered = Boolean(text) || gaps;
    if (filtered) {
      openBefore ??= folds.map((fold) => fold.open);
      for (const fold of folds) fold.open = true;
    } else if (openBefore) {
      folds.forEach((fold, i) => (fold.open = openBefore[i]));
      openBefore = null;
    }
    said.textContent = filtered ? `${found} of ${nodes.length} branches and leaves` : "";
    filters.remember({words: text, gaps: gaps && "1"});
  }

  const asked = new URLSearchParams(location.search);
  form.words.value = asked.get("words") ?? "";
  form.gaps.checked = asked.get("gaps") === "1";
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", (event) => {
    if (event.target.dataset.open === undefined) return;
    for (const fold of folds) fold.open = Boolean(event.target.dataset.open);
  });
  if (form.words.value || form.gaps.checked) show();
}
