// Finds points on the timeline and names them, says what a point stands for, and lets the arrow
// keys go from one to the next. What it knows of a paper is what the point's title says.
"use strict";

{
  const MOST = 24; // names beside what is found, in a lane
  // Half a point, from its middle to its name, half a name's height, and the room at either end of
  // a name, as the drawing counts.
  const [POINT, ASIDE, HALF, ROOM] = [3, 6, 7, 2];
  const SVG = "http://www.w3.org/2000/svg";
  const form = document.querySelector("form.map-tools");
  const box = document.querySelector(".timeline");
  const tip = box.querySelector(".tip");
  const lanes = [...box.querySelectorAll("svg")].map((svg) => [...svg.querySelectorAll("a")].map(read));
  const points = lanes.flat();
  const of = new Map(points.map((point) => [point.link, point]));

  function read(link) {
    const title = link.querySelector("title");
    const lines = title.textContent.split("\n");
    // The tip says it at once; a browser's own would come on top of it.
    link.setAttribute("aria-label", lines.join(", "));
    title.remove();
    const [circle, label] = [link.querySelector("circle"), link.querySelector("text")];
    const id = /([^/]*)\.html$/.exec(link.getAttribute("href"))[1];
    const [x, y] = ["cx", "cy"].map((name) => Number(circle.getAttribute(name)));
    const words = filters.fold([...lines.slice(0, 2), id, label?.textContent].join(" "));
    return {link, lines, id, circle, label, x, y, words, fits: true};
  }

  // Finding

  function show() {
    const text = form.words.value.trim();
    const runs = form.runs.checked;
    const asked = text || runs;
    const wanted = filters.words(text);
    for (const point of points) {
      point.fits =
        wanted.every((word) => point.words.includes(word)) &&
        (!runs || point.link.classList.contains("runs"));
      point.link.classList.toggle("dim", !point.fits);
    }
    const found = points.filter((point) => point.fits);
    name(asked ? new Set(found) : new Set());
    if (found.filter(inSight).length < found.length / 2) center(found);
    for (const lane of lanes) stop(lane);
    const number = (some) => new Set(some.map((point) => point.id)).size.toLocaleString("en");
    form.querySelector("output").textContent = asked ? `${number(found)} of ${number(points)} entries` : "";
    const list = form.querySelector("a");
    list.hidden = !asked;
    list.search = new URLSearchParams({...(text && {words: text}), ...(runs && {code: "1"})});
    filters.remember({words: text, runs: runs && "1"});
  }

  /** From the left end of the box to a point. */
  const place = (point) => point.circle.getBoundingClientRect().left - box.getBoundingClientRect().left;
  const inSight = (point) => place(point) >= 0 && place(point) <= box.clientWidth;

  /** Scroll to the one in the middle of some points. */
  function center(some) {
    const inOrder = [...some].sort((one, other) => one.x - other.x);
    box.scrollLeft += place(inOrder[some.length >> 1]) - box.clientWidth / 2;
  }

  /** Names beside those of the found points that have none, where there is room for them. */
  function name(found) {
    for (const text of box.querySelectorAll("text.found")) text.remove();
    const fits = lanes.map((lane) => lane.filter((point) => found.has(point)));
    const fresh = fits.flatMap((lane) => lane.filter((point) => !point.label).slice(0, MOST));
    const texts = new Map(fresh.map((point) => [point, write(point)]));
    const lengths = new Map(fresh.map((point) => [point, texts.get(point).getComputedTextLength()]));
    const end = box.querySelector("svg").viewBox.baseVal.width;
    for (const lane of fits) {
      const taken = lane.map(({x, y}) => [x - POINT, x + POINT, y - POINT, y + POINT]);
      for (const {label} of lane) {
        const {x, y, width, height} = label?.getBBox() ?? {};
        if (label) taken.push([x, x + width, y, y + height]);
      }
      for (const point of lane.filter((point) => texts.has(point))) {
        const [text, length, top, bottom] = [texts.get(point), lengths.get(point), point.y - HALF, point.y + HALF];
        const free = [point.x + ASIDE, point.x - ASIDE - length].find(
          (x) =>
            x >= ROOM &&
            x + length + ROOM <= end &&
            !taken.some(([a, b, c, d]) => a < x + length + ROOM && x - ROOM < b && c < bottom && top < d),
        );
        if (free === undefined) text.remove();
        else {
          text.setAttribute("x", free);
          taken.push([free, free + length, top, bottom]);
        }
      }
    }
  }

  /** A name as the page has them: that of the title, or the authors. */
  function write(point) {
    const [title, by] = point.lines;
    const [first, ...rest] = title.split(":");
    const authors = by.slice(0, by.lastIndexOf(",")).replace(/ et al\.$/, "");
    const named = rest.length && first.length < 16 && !first.includes(" ");
    const text = document.createElementNS(SVG, "text");
    text.textContent = named ? first : authors.length < 20 ? authors : authors.split(" and ")[0].slice(0, 18);
    text.setAttribute("class", "found");
    text.setAttribute("y", point.y + 4);
    point.link.append(text);
    return text;
  }

  // Pointing

  function leave() {
    tip.hidden = true;
    for (const marked of box.querySelectorAll("a.same")) marked.classList.remove("same");
  }

  function point(event) {
    leave();
    const here = of.get(event.target.closest?.("a"));
    if (!here) return;
    for (const {link, id} of points) if (id === here.id) link.classList.add("same");
    const [title, by, ...more] = here.lines;
    const parts = [["strong", title], ["span", by], ...more.map((line) => ["div", line])];
    tip.replaceChildren(
      ...parts.map(([element, text]) => Object.assign(document.createElement(element), {textContent: text})),
    );
    tip.hidden = false;
    const circle = here.circle.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    const seen = [box.scrollLeft + 4, box.scrollLeft + box.clientWidth - tip.offsetWidth - 4];
    const left = circle.left - frame.left + box.scrollLeft;
    const below = circle.bottom - frame.top + 10;
    const fits = below + tip.offsetHeight < box.clientHeight;
    tip.style.left = `${Math.max(seen[0], Math.min(left, seen[1]))}px`;
    tip.style.top = `${fits ? below : circle.top - frame.top - tip.offsetHeight - 8}px`;
  }

  for (const name of ["pointerover", "focusin"]) box.addEventListener(name, point);
  for (const name of ["pointerleave", "focusout"]) box.addEventListener(name, leave);

  // Keys: a lane is one stop, at the first of its points that fits, and arrows go from there.

  function stop(lane, here = lane.find((point) => point.fits)) {
    for (const point of lane) point.link.setAttribute("tabindex", point === here ? 0 : -1);
  }

  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    const here = of.get(event.target);
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!here || !step) return;
    event.preventDefault(); // the box would scroll
    const lane = lanes.find((lane) => lane.includes(here));
    const fits = lane.filter((point) => point.fits);
    const next = fits[fits.indexOf(here) + step];
    if (!next) return;
    stop(lane, next);
    next.link.focus();
  });

  // Where the drawing is wider than its box, it opens with the paper in the middle of all in sight.
  center(points);

  const asked = new URLSearchParams(location.search);
  form.words.value = asked.get("words") ?? "";
  form.runs.checked = asked.get("runs") === "1";
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const lane of lanes) stop(lane);
  if (form.words.value || form.runs.checked) show();
}
