// What the pages with filters share.
"use strict";

const filters = (() => {
  // Letters that Unicode does not take apart into a base letter and an accent.
  const LETTERS = {ø: "o", ł: "l", ß: "ss", æ: "ae", œ: "oe", đ: "d", ð: "d", þ: "th", ı: "i"};

  /** A text without case, accents, hyphens and apostrophes: "Rücklé" is "ruckle", "P-Tuning" "ptuning". */
  function fold(text) {
    const lower = text.toLowerCase();
    if (/^[\x20-\x7e\s]*$/.test(lower)) return lower.replace(/[-']/g, "");
    return lower
      .normalize("NFKD")
      .replace(/[\p{M}\p{Pd}'’\u00ad]/gu, "")
      .replace(/[øłßæœđðþı]/g, (letter) => LETTERS[letter]);
  }

  /** The words of a query. */
  const words = (text) => fold(text).split(/\s+/).filter(Boolean);

  /**
   * Keep what is asked for, names and values, in the address; `pushState` makes it a step that the
   * browser can go back. No field is named "q": the theme would open its own search.
   */
  function remember(asked, how = "replaceState") {
    const address = new URL(location.href);
    address.search = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    if (address.href !== location.href) history[how](null, "", address);
  }

  /** Give each field of a form what the address says; a choice that there is not is none. */
  function restore(form) {
    const asked = new URLSearchParams(location.search);
    for (const field of form.elements) {
      if (!field.name) continue;
      field.value = asked.get(field.name) ?? "";
      if (field.matches("select") && field.selectedIndex < 0) field.value = "";
    }
  }

  /**
   * What sorts a table's rows by a column. A head says by data-sort whether its cells are text or
   * numbers, which are in data-value; what has none comes last in either direction.
   */
  function sorter(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, column) => {
      const cell = row.cells[column];
      if (heads[column].dataset.sort === "text") return cell.textContent.trim().toLowerCase();
      return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };
    return (column, down) => {
      const compared = (a, b) => {
        const [one, other] = [key(a, column), key(b, column)];
        if (one === null || other === null) return (one === null) - (other === null);
        const order = typeof one === "string" ? one.localeCompare(other) : one - other;
        return down ? -order : order;
      };
      body.append(...[...rows].sort(compared));
      heads.forEach((head, index) => {
        if (index !== column) head.removeAttribute("aria-sort");
        else head.setAttribute("aria-sort", down ? "descending" : "ascending");
      });
    };
  }

  return {fold, words, remember, restore, sorter};
})();
