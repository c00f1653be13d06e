// What fits: evaluates memory.js, as tools/data/memory.py does in Python.
(() => {
  "use strict";

  const form = document.getElementById("fits-form");
  if (!form) return;
  const { cards, gib, reserved, methods, architectures } = window.predictedPeaks;
  const { count, amount, peakAt, element } = making;
  const table = document.getElementById("fits");
  const fault = document.getElementById("fits-fault");

  const mostRows = (peak, length, room) => {
    const least = peak.map(([one, s, ss, b, bs, bss]) => {
      const fixed = one + s * length + ss * length ** 2;
      const each = b + bs * length + bss * length ** 2;
      return each ? Math.floor((room - fixed) / each) : fixed > room ? 0 : Infinity;
    });
    return Math.max(0, Math.min(...least));
  };

  const cell = (number, most) => {
    const made = element("td", {}, number ? count(number) : "–");
    if (number) {
      made.className = "fit";
      made.style.setProperty("--heat", (Math.log2(number + 1) / Math.log2(most + 1)).toFixed(3));
    }
    return made;
  };

  const show = (told, setting, length) => {
    const runs = Object.entries(told.methods).filter(([, own]) => Array.isArray(own[setting]));
    const rows = runs.map(([name, own]) => ({
      name,
      least: peakAt(own[setting], 1, length),
      rows: cards.map(card => mostRows(own[setting], length, card * gib - reserved)),
    }));
    rows.sort((a, b) => a.least - b.least || (methods[a.name] < methods[b.name] ? -1 : 1));
    const most = Math.max(...rows.flatMap(row => row.rows));
    table.tBodies[0].replaceChildren(
      ...rows.map(row => {
        const link = element("a", { href: `${row.name}.html` }, methods[row.name]);
        const head = element("th", { scope: "row" }, link);
        const cells = row.rows.map(number => cell(number, most));
        return element("tr", {}, head, element("td", {}, amount(row.least)), ...cells);
      }),
    );
    const why = Object.entries(told.methods).filter(([, own]) => typeof own[setting] === "string");
    const said = why.flatMap(([name, own], i) => [
      i ? ", " : "No peak is told of ",
      element("abbr", { title: own[setting] }, methods[name]),
    ]);
    document.getElementById("fits-refused").replaceChildren(...said, ...(why.length ? ["."] : []));
  };

  const update = () => {
    const asked = Object.fromEntries(new FormData(form));
    filters.remember(asked);
    const told = architectures[asked.model];
    const length = Number(asked.tokens);
    const longest = told.positions ?? 2 ** 20;
    const wrong = !Number.isInteger(length) || length < 16 || length > longest;
    fault.textContent = wrong ? `${told.title} takes rows of 16 to ${count(longest)} tokens.` : "";
    form.elements.tokens.setAttribute("aria-invalid", String(wrong));
    table.classList.toggle("stale", wrong);
    if (!wrong) show(told, asked.setting, length);
  };

  for (const [name, value] of new URLSearchParams(location.search)) {
    const control = form.elements.namedItem(name);
    if (control?.matches("select")) {
      if ([...control.options].some(option => option.value === value)) control.value = value;
    } else if (control) {
      control.value = value;
    }
  }
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", update);
  if (location.search) update();
})();
