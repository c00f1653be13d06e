// Which cost the chart is against; the order of a table; the filters of printed scores.
// All of it is kept in the address.
"use strict";

(() => {
  const given = new URLSearchParams(location.search);
  const asked = Object.fromEntries(given);

  function keep(changed) {
    Object.assign(asked, changed);
    filters.remember(asked);
  }

  const axis = document.getElementById("evidence-axis");
  if (axis) {
    const show = () => {
      const cost = axis.elements.cost.value;
      for (const box of document.querySelectorAll(".axes [data-cost]")) box.hidden = box.dataset.cost !== cost;
    };
    for (const radio of axis.querySelectorAll("input")) {
      if (radio.value === asked.cost) radio.checked = true;
    }
    axis.addEventListener("input", () => {
      show();
      keep({cost: axis.elements.cost.value});
    });
    show();
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = [...table.tHead.rows[0].cells];
    const order = filters.sorter(table);
    const sort = (by) => {
      const column = Number(by.replace("-", "")) - 1;
      if (column in heads) order(column, by.startsWith("-"));
    };

    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      const link = head.querySelector("a"); // a link cannot stand in a button
      if (link) {
        button.textContent = "↕";
        button.setAttribute("aria-label", `Sort by ${link.textContent}`);
      } else button.append(...head.childNodes);
      button.addEventListener("click", () => {
        const best = head.dataset.sort === "number" ? "descending" : "ascending";
        const turned = head.getAttribute("aria-sort") === best;
        const down = (best === "descending") !== turned;
        const by = `${down ? "-" : ""}${column + 1}`;
        sort(by);
        keep({sort: by});
      });
      head.append(button);
    });
    if (asked.sort) sort(asked.sort);
  }

  const form = document.getElementById("printed-filters");
  if (form) {
    const rows = [...document.getElementById("printed").tBodies[0].rows];
    const count = form.querySelector(".count");
    const filter = () => {
      const {model, data} = Object.fromEntries(new FormData(form));
      let left = 0;
      for (const row of rows) {
        const scores = [...row.querySelectorAll("[data-data]")];
        for (const score of scores) score.hidden = data && score.dataset.data !== data;
        row.hidden = (model && row.dataset.model !== model) || scores.every((score) => score.hidden);
        if (!row.hidden) left += 1;
      }
      count.textContent = left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
    };
    filters.restore(form);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      filter();
      keep(Object.fromEntries(new FormData(form)));
    });
    filter();
  }
})();
