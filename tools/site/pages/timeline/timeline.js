// Finds papers on the timeline and in its list, and says what a point stands for.
"use strict";

{
  const form = document.querySelector("form.map-tools");
  const box = document.querySelector(".timeline");
  const tip = box.querySelector(".tip");
  const points = new Map(); // id of a paper -> its points
  for (const point of box.querySelectorAll("a[data-paper]")) {
    const own = points.get(point.dataset.paper) ?? [];
    points.set(point.dataset.paper, [...own, point]);
    // The tip says it at once; a browser's own would come on top of it.
    const title = point.querySelector("title");
    point.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  const items = [...document.querySelectorAll(".years li")];
  const words = new Map(
    items.map((item) => {
      const labels = (points.get(item.dataset.paper) ?? []).map((point) => point.textContent);
      return [item, filters.fold([item.textContent, item.dataset.paper, ...labels].join(" "))];
    }),
  );

  function show() {
    const text = form.words.value.trim();
    const runs = form.runs.checked;
    const wanted = filters.words(text);
    let found = 0;
    for (const item of items) {
      const fits =
        wanted.every((word) => words.get(item).includes(word)) &&
        (!runs || item.classList.contains("runs"));
      found += fits;
      item.hidden = !fits;
      for (const point of points.get(item.dataset.paper) ?? []) {
        point.classList.toggle("dim", !fits);
      }
    }
    for (const section of document.querySelectorAll(".years section")) {
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    const all = items.length;
    form.querySelector("output").textContent = text || runs ? `${found} of ${all} papers` : "";
    filters.remember({words: text, runs: runs && "1"});
  }

  function point(event) {
    const link = event.target.closest?.("a[data-paper]");
    for (const marked of box.querySelectorAll("a.same")) marked.classList.remove("same");
    tip.hidden = !link;
    if (!link) return;
    for (const other of points.get(link.dataset.paper)) other.classList.add("same");
    const item = items.find((candidate) => candidate.dataset.paper === link.dataset.paper);
    const title = document.createElement("strong");
    title.textContent = item.querySelector(".title").textContent;
    const year = item.closest("section").querySelector("h3").firstChild.textContent.trim();
    const when = [item.querySelector(".when").textContent, year].filter(Boolean).join(" ");
    const by = document.createElement("span");
    by.textContent = `${item.querySelector(".by").textContent}, ${when}`;
    const where = document.createElement("div");
    where.textContent = item.querySelector(".where")?.textContent ?? "";
    tip.replaceChildren(title, by, where);
    const circle = link.querySelector("circle").getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    const seen = [box.scrollLeft + 4, box.scrollLeft + box.clientWidth - tip.offsetWidth - 4];
    const left = circle.left - frame.left + box.scrollLeft;
    const below = circle.bottom - frame.top + 10;
    const fits = below + tip.offsetHeight < box.clientHeight;
    tip.style.left = `${Math.max(seen[0], Math.min(left, seen[1]))}px`;
    tip.style.top = `${fits ? below : circle.top - frame.top - tip.offsetHeight - 8}px`;
  }

  for (const name of ["pointerover", "focusin"]) box.addEventListener(name, point);
  for (const name of ["pointerleave", "focusout"]) box.addEventListener(name, point_out);
  function point_out() {
    tip.hidden = true;
    for (const marked of box.querySelectorAll("a.same")) marked.classList.remove("same");
  }
  box.addEventListener("keydown", (event) => event.key === "Escape" && point_out());

  // Where the drawing is wider than its box, it opens with the paper in the middle of all in sight.
  const places = [...box.querySelectorAll("circle")].map((dot) => dot.getBoundingClientRect().left);
  places.sort((one, other) => one - other);
  const middle = places[places.length >> 1] - box.getBoundingClientRect().left;
  box.scrollLeft = middle - box.clientWidth / 2;

  const asked = new URLSearchParams(location.search);
  form.words.value = asked.get("words") ?? "";
  form.runs.checked = asked.get("runs") === "1";
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  if (form.words.value || form.runs.checked) show();
}
