// The list of papers: filters, sorting, and the BibTeX of what is left. What a filter looks at is
// what the table shows, so nothing is said twice in the page.
"use strict";

(() => {
  const form = document.querySelector("form.filters");
  const table = document.querySelector("table.listing");
  if (!form || !table) return;

  // A browser needs far longer to lay out a row than the filters need to find it. So a keystroke
  // shows a few screens of rows; more follow when there is time, and the rest on scrolling.
  const STEP = 40;
  const ENOUGH = 400;
  const NEWEST = "-year"; // how the page comes

  const {fold} = filters;
  const field = form.elements;
  const names = new Map([...field.venue.options].map((option) => [option.value, option.title]));
  const aliases = new Map([...field.leaf.options].map((option) => [option.value, option.dataset.aliases ?? ""]));
  const leafRank = new Map([...field.leaf.options].map((option, i) => [option.value, i]));
  const resources = table.dataset.resources.split(" "); // the kinds that are no papers
  const body = table.tBodies[0];
  // The line breaks between rows would stay behind when rows go, and make each move a long search.
  for (const node of [...body.childNodes]) if (node.nodeType === Node.TEXT_NODE) node.remove();
  const papers = [...body.rows].map(read);
  const total = Number(table.dataset.total);

  function read(row, place) {
    const [paper, authors, year, venue, leaves, kind, modality, code] = row.cells;
    const name = venue.firstElementChild.textContent;
    const filed = [...leaves.querySelectorAll("a")].map((link) => /([^/]*)\.html$/.exec(link.getAttribute("href"))[1]);
    return {
      row,
      place,
      id: /([^/]*)\.html$/.exec(paper.firstElementChild.getAttribute("href"))[1],
      title: fold(paper.firstElementChild.textContent),
      text: fold(
        `${paper.firstElementChild.textContent} ${paper.lastElementChild.textContent} ` +
          `${authors.textContent} ${name} ${names.get(name)} ` +
          `${leaves.textContent} ${filed.map((leaf) => aliases.get(leaf)).join(" ")} ` +
          [...code.querySelectorAll("a")].map((link) => `${link.textContent} ${link.dataset.also ?? ""}`).join(" "),
      ),
      year: Number(year.textContent),
      venue: name,
      leaves: filed,
      kind: kind.textContent,
      modality: modality.textContent.split(", "),
      code: code.textContent !== "",
    };
  }

  // Sorting

  const KEYS = {
    title: (paper) => paper.title,
    author: (paper) => paper.id, // which begins with the first author's family name
    year: (paper) => paper.year,
    venue: (paper) => paper.venue.toLowerCase(),
    leaf: (paper) => leafRank.get(paper.leaves[0]),
    kind: (paper) => paper.kind,
    modality: (paper) => paper.modality.join(),
    code: (paper) => (paper.code ? 0 : 1),
  };
  let sort = NEWEST;
  const orders = new Map([[NEWEST, papers]]);

  /** Load a script of the site, which sets a variable: a page on a disk can load nothing else. */
  const load = (source) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });

  // The page comes with the first rows. The others are loaded once somebody scrolls, filters or sorts.
  let rest = null;

  function complete() {
    rest ??= load(form.dataset.rows).then(() => {
      const holder = document.createElement("template");
      holder.innerHTML = `<table><tbody>${window.atlasRows.join("")}</tbody></table>`;
      for (const row of [...holder.content.querySelectorAll("tr")]) papers.push(read(row, papers.length));
    });
    return rest;
  }

  function ordered() {
    if (!orders.has(sort)) {
      const [key, sign] = sort.startsWith("-") ? [KEYS[sort.slice(1)], -1] : [KEYS[sort], 1];
      const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      const keyed = papers.map((paper) => [key(paper), paper]);
      keyed.sort(([a, one], [b, other]) => sign * compare(a, b) || one.place - other.place);
      orders.set(sort, keyed.map(([, paper]) => paper));
    }
    return orders.get(sort);
  }

  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const key = head.dataset.sort;
      sort = sort === key || (key === "year" && sort !== NEWEST) ? `-${key}` : key;
      update();
      remember("pushState");
      say(`Sorted by ${button.textContent}, ${sort.startsWith("-") ? "descending" : "ascending"}`);
    });
    head.replaceChildren(button);
  }

  function markSorted() {
    for (const head of table.tHead.rows[0].cells) {
      if (sort.replace("-", "") !== head.dataset.sort) head.removeAttribute("aria-sort");
      else head.ariaSort = sort.startsWith("-") ? "descending" : "ascending";
    }
  }

  // Filters

  /** Whether a paper fits the form as it stands. */
  function filter() {
    const words = filters.words(field.words.value);
    const leaves = new Set((field.leaf.selectedOptions[0]?.dataset.leaves ?? "").split(" "));
    const [from, to] = [Number(field.from.value), Number(field.to.value)];
    const tests = [];
    if (field.leaf.value) tests.push((paper) => paper.leaves.some((leaf) => leaves.has(leaf)));
    if (field.kind.value) tests.push((paper) => paper.kind === field.kind.value);
    if (field.modality.value) tests.push((paper) => paper.modality.includes(field.modality.value));
    if (field.venue.value) tests.push((paper) => paper.venue === field.venue.value);
    if (from) tests.push((paper) => paper.year >= from);
    if (to) tests.push((paper) => paper.year && paper.year <= to);
    if (field.code.checked) tests.push((paper) => paper.code);
    for (const word of words) tests.push((paper) => paper.text.includes(word));
    return (paper) => tests.every((test) => test(paper));
  }

  const count = form.querySelector(".count");
  const everything = count.textContent;
  const heard = form.querySelector(".heard");
  const none = document.createElement("p");
  none.textContent = "No paper fits. Fewer words or filters may find some.";
  none.hidden = true;
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  more.hidden = true;
  table.after(none, more);

  let found = papers;
  let shown = ENOUGH;
  let pause = 0;
  let idle = 0;

  /** Tell a screen reader, but not while the reader is still typing. */
  function say(text) {
    clearTimeout(pause);
    pause = setTimeout(() => (heard.textContent = text), 600);
  }

  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const notWhenIdle = window.cancelIdleCallback ?? clearTimeout;

  const number = (value, one, many) => `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

  /** "98 papers and 9 other resources", as the page says it before a filter is set. */
  function counted(some) {
    const others = some.filter((paper) => resources.includes(paper.kind)).length;
    const own = some.length - others;
    const parts = own || !others ? [number(own, "paper", "papers")] : [];
    if (others) parts.push(number(others, "other resource", "other resources"));
    return parts.join(" and ");
  }

  async function update(atOnce = STEP) {
    notWhenIdle(idle);
    if (papers.length < total && (sort !== NEWEST || asked().length)) await complete();
    shown = atOnce;
    found = ordered().filter(filter());
    const all = found.length === papers.length;
    count.textContent = all ? everything : `${counted(found)} of ${number(total, "entry", "entries")}`;
    none.hidden = found.length > 0;
    markSorted();
    layOut();
    idle = whenIdle(fill);
  }

  function fill() {
    if (shown >= Math.min(found.length, ENOUGH)) return;
    grow();
    idle = whenIdle(fill);
  }

  /** The rows that are shown, moved as little as possible: what stays is not laid out again. */
  function layOut() {
    const wanted = found.slice(0, shown).map((paper) => paper.row);
    const kept = new Set(wanted);
    for (const row of [...body.rows]) if (!kept.has(row)) row.remove();
    let cursor = body.firstElementChild;
    for (const row of wanted) {
      if (row === cursor) cursor = cursor.nextElementSibling;
      else body.insertBefore(row, cursor);
    }
    const left = (found.length === papers.length ? total : found.length) - Math.min(shown, found.length);
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(STEP, left)} more`;
  }

  async function grow() {
    if (shown >= found.length && papers.length < total) {
      await complete();
      found = ordered().filter(filter());
    }
    shown += STEP;
    layOut();
  }

  more.addEventListener("click", grow);
  const nearEnd = new IntersectionObserver(
    (entries) => {
      if (!entries.at(-1).isIntersecting) return;
      grow();
      // Where the browser keeps the button in sight, it tells of no change: ask anew.
      nearEnd.unobserve(more);
      nearEnd.observe(more);
    },
    {rootMargin: "600px"},
  );
  nearEnd.observe(more);

  // The address

  const FIELDS = ["words", "leaf", "kind", "modality", "venue", "from", "to"];

  /** What the form asks for, in words. */
  const asked = () =>
    [...FIELDS.map((name) => field[name].value.trim()), field.code.checked && "implemented"].filter(Boolean);

  function remember(how) {
    const values = Object.fromEntries(FIELDS.map((name) => [name, field[name].value.trim()]));
    const order = sort !== NEWEST && sort;
    filters.remember({...values, code: field.code.checked && "1", sort: order}, how);
  }

  /** Set the form by the address; what it does not offer is left out. */
  function recall(atOnce = STEP) {
    const query = new URLSearchParams(location.search);
    for (const name of FIELDS) {
      field[name].value = query.get(name) ?? "";
      if (field[name].selectedIndex === -1) field[name].value = "";
    }
    field.code.checked = query.get("code") === "1";
    const wanted = query.get("sort") ?? NEWEST;
    sort = Object.hasOwn(KEYS, wanted.replace("-", "")) ? wanted : NEWEST;
    return update(atOnce);
  }

  // What is typed in one go is one step back.
  let typing = false;
  form.addEventListener("input", (event) => {
    const typed = event.target.matches("[type=search], [type=number]");
    update().then(() => say(count.textContent));
    remember(typed && typing ? "replaceState" : "pushState");
    typing = typed;
  });
  form.addEventListener("change", () => (typing = false));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const name of FIELDS) field[name].value = "";
    field.code.checked = false;
    update().then(() => say(count.textContent));
    remember("pushState");
    field.words.focus();
  });
  addEventListener("popstate", () => recall());

  // Export

  let entries = null; // of all papers, by id, in the catalog's order

  async function bibtex() {
    await Promise.all([(entries ??= load(form.dataset.bibtex)), papers.length < total && complete()]);
    const wanted = new Set(papers.filter(filter()).map((paper) => paper.id));
    return Object.entries(window.atlasBibtex)
      .filter(([id]) => wanted.has(id))
      .map(([, text]) => text)
      .join("\n");
  }

  /** "papers-low-rank-2022.bib": what is asked for. */
  function fileName() {
    const words = fold(["papers", ...asked()].join(" ")).match(/[\p{L}\p{N}]+/gu);
    return `${words.join("-").slice(0, 80)}.bib`;
  }

  field.download.addEventListener("click", async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await bibtex()], {type: "application/x-bibtex"}));
    link.download = fileName();
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  field.copy.hidden = !navigator.clipboard;
  field.copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(await bibtex());
    const said = `Copied ${found.length} ${found.length === 1 ? "entry" : "entries"}`;
    say(said);
    field.copy.textContent = "Copied";
    setTimeout(() => (field.copy.textContent = "Copy"), 1500);
  });

  recall(ENOUGH).then(() => form.classList.add("ready")); // as many as are there already
})();
