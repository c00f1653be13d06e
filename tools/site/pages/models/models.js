// Filters the table of methods and architectures, and tells the reason of a cell.
"use strict";

{
  const form = document.getElementById("models-filters");
  const table = document.getElementById("models");

  if (form && table) {
    const told = document.querySelector(".told");
    const said = form.querySelector("output");
    const heads = [...table.tHead.rows[0].cells];
    const all = [...table.rows];
    const groups = [...table.tBodies];
    const rows = groups.flatMap((group) => [...group.rows].slice(1)); // the first holds sums
    const names = new Map(rows.map((row) => [row, filters.fold(row.cells[0].textContent)]));
    const reasons = new Map(
      [...document.querySelectorAll("#models-reasons li")].map((item) => [
        item.dataset.mark,
        item.querySelector(".why").textContent,
      ]),
    );
    let only = 0; // the column that is shown alone, 0: all are
    let focused = null; // the one cell that Tab leads to

    const markOf = (cell) => cell.firstChild.textContent;

    function choose(column) {
      for (const full of table.querySelectorAll(".full")) full.remove();
      if (column !== only) {
        for (const row of all) {
          for (let at = 1; at < heads.length; at += 1) row.cells[at].hidden = column && at !== column;
        }
        table.classList.toggle("one", column > 0);
        only = column;
        aim(null);
      }
      for (const row of column ? rows : []) {
        const reason = reasons.get(markOf(row.cells[column]));
        if (!reason) continue;
        const full = document.createElement("span");
        full.className = "full";
        full.textContent = reason;
        row.cells[column].append(full);
      }
    }

    function show() {
      const asked = Object.fromEntries(new FormData(form));
      const words = filters.words(asked.words);
      const column = heads.findIndex((head) => head.dataset.method === asked.method);
      choose(asked.method ? Math.max(column, 0) : 0);
      const left = [];
      for (const group of groups) {
        const kept = [...group.rows].slice(1).filter((row) => {
          const fits = words.every((word) => names.get(row).includes(word));
          row.hidden = !fits || (asked.kind && group.dataset.kind !== asked.kind);
          return !row.hidden;
        });
        group.hidden = !kept.length;
        left.push(...kept);
      }
      const running = left.filter((row) => only && markOf(row.cells[only]) === "✓").length;
      const filtered = left.length < rows.length;
      said.textContent = [
        filtered ? `${left.length} of ${rows.length} architectures` : "",
        only ? `${heads[only].textContent} runs on ${running}` : "",
      ].filter(Boolean).join("; ");
      if (focused?.closest("[hidden]")) aim(null);
      if (!focused) aim(left[0]?.cells[only || 1] ?? null);
    }

    /** Tab leads to this cell, from which arrows lead on. */
    function aim(cell) {
      focused?.removeAttribute("tabindex");
      focused = cell;
      if (cell) cell.tabIndex = 0;
    }

    function tell(cell) {
      const row = cell?.parentElement;
      const reason = cell && reasons.get(markOf(cell));
      told.hidden = !reason || only > 0;
      if (told.hidden) told.textContent = "";
      else {
        const what = cell.classList.contains("fault") ? "fault" : "refused";
        const method = heads[cell.cellIndex].textContent;
        told.textContent = `${method} on ${row.cells[0].textContent}, ${what}: ${reason}`;
      }
    }

    const cellAt = (event) => {
      const cell = event.target.closest?.("td");
      return cell && names.has(cell.parentElement) ? cell : null;
    };

    /** The next cell that is shown, in a direction. */
    function beside(cell, key) {
      const shown = rows.filter((row) => !row.hidden && !row.parentElement.hidden);
      const at = shown.indexOf(cell.parentElement);
      const step = { ArrowUp: -1, ArrowDown: 1 }[key];
      if (step) return shown[at + step]?.cells[cell.cellIndex];
      const next = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[key];
      let found = cell[next];
      while (found?.hidden) found = found[next];
      return found?.matches("td") ? found : null;
    }

    table.setAttribute("role", "grid");
    table.addEventListener("pointerover", (event) => tell(cellAt(event)));
    table.addEventListener("pointerleave", () => tell(document.activeElement.closest("#models td")));
    table.addEventListener("focusin", (event) => tell(cellAt(event)));
    table.addEventListener("focusout", () => tell(null));
    table.addEventListener("click", (event) => {
      const cell = cellAt(event);
      if (!cell) return;
      aim(cell);
      cell.focus({ preventScroll: true });
      tell(cell);
    });
    table.addEventListener("keydown", (event) => {
      const cell = cellAt(event);
      if (event.key === "Escape") tell(null);
      if (!cell || !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      const next = beside(cell, event.key);
      if (!next) return;
      aim(next);
      next.focus();
    });
    form.addEventListener("input", () => {
      show();
      filters.remember(Object.fromEntries(new FormData(form)));
    });
    form.addEventListener("submit", (event) => event.preventDefault());

    filters.restore(form);
    show();
  }
}
