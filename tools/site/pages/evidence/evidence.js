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
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const first = [...body.rows];

    const key = (row, column) => {
      const cell = row.cells[column];
      if (heads[column].dataset.sort === "text") return filters.fold(cell.textContent.trim());
      return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };

    // What has no number comes last in either direction.
    const sort = (order) => {
      const down = order.startsWith("-");
      const column = Number(order.replace("-", "")) - 1;
      heads.forEach((head, index) => {
        if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      if (!(column in heads)) return body.append(...first);
      body.append(
        ...[...first].sort((a, b) => {
          const [one, other] = [key(a, column), key(b, column)];
          if (one === null || other === null) return (one === null) - (other === null);
          const apart = typeof one === "string" ? one.localeCompare(other) : one - other;
          return down ? -apart : apart;
        }),
      );
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
        const order = `${down ? "-" : ""}${column + 1}`;
        sort(order);
        keep({sort: order});
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
    for (const select of form.querySelectorAll("select")) {
      if ([...select.options].some((option) => option.value === asked[select.name])) {
        select.value = asked[select.name];
      }
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      filter();
      keep(Object.fromEntries(new FormData(form)));
    });
    filter();
  }
})();
