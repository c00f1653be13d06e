// Filters and sorts the table of all methods, and shows the points of those that are left.
(() => {
  "use strict";

  const form = document.getElementById("compare-filters");
  const table = document.getElementById("compare");
  if (!form || !table) return;

  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const points = [...document.querySelectorAll(".scatter .point")];
  const texts = new Map(rows.map(row => [row, filters.fold(row.textContent)]));
  const names = heads.map(head => head.textContent.trim().toLowerCase().replaceAll(" ", "-"));
  let sorted = { column: 0, down: false };

  const fits = (row, wanted) => {
    const data = row.dataset;
    const words = filters.words(wanted.text);
    return (
      words.every(word => texts.get(row).includes(word)) &&
      (!wanted.branch || data.branch === wanted.branch) &&
      (!wanted.model || data.models.split(" ").includes(wanted.model)) &&
      (!wanted.verified || data.verified === wanted.verified) &&
      ["merges", "base", "start"].every(flag => !wanted[flag] || data[flag] === "yes")
    );
  };

  const filter = () => {
    const given = Object.fromEntries(new FormData(form));
    const left = new Set();
    for (const row of rows) {
      row.hidden = !fits(row, given);
      if (!row.hidden) left.add(row.dataset.method);
    }
    for (const point of points) {
      const out = !left.has(point.dataset.method);
      point.classList.toggle("out", out);
      point.setAttribute("tabindex", out ? "-1" : "0");
    }
    const all = left.size === rows.length;
    document.getElementById("compare-count").textContent = all
      ? `${rows.length} methods`
      : `${left.size} of ${rows.length} methods`;
  };

  const order = filters.sorter(table);
  const sort = () => order(sorted.column, sorted.down);

  const remember = () => {
    const by = (sorted.column || sorted.down) && `${sorted.down ? "-" : ""}${names[sorted.column]}`;
    filters.remember({ ...Object.fromEntries(new FormData(form)), sort: by });
  };

  const restore = () => {
    const given = new URLSearchParams(location.search);
    for (const [name, value] of given) {
      const control = form.elements.namedItem(name);
      if (control?.type === "checkbox") control.checked = value === control.value;
      else if (control) control.value = value;
    }
    const by = given.get("sort") ?? "";
    const column = names.indexOf(by.replace(/^-/, ""));
    if (column >= 0) sorted = { column, down: by.startsWith("-") };
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => {
      sorted = { column, down: sorted.column === column && !sorted.down };
      sort();
      remember();
    });
    head.append(button);
  });
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", () => {
    filter();
    remember();
  });

  restore();
  filter();
  sort();
})();
