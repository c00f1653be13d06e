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

  return {fold, words, remember};
})();
