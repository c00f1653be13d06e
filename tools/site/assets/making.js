// What the pages that compute share: figures in words, as tools/site/shared/figures.py writes them,
// and elements.
"use strict";

const making = (() => {
  const count = number => number.toLocaleString("en-US");

  /** Bytes with three figures. */
  const amount = number => {
    for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
      if (number < unit) continue;
      const digits = Math.max(0, 3 - String(Math.trunc(number / unit)).length);
      return `${(number / unit).toFixed(digits)} ${name}`;
    }
    return number ? `${number} bytes` : "0";
  };

  /** As `at` in tools/data/memory.py. */
  const peakAt = (peak, rows, length) => {
    const terms = [1, length, length ** 2, rows, rows * length, rows * length ** 2];
    return Math.max(...peak.map(form => form.reduce((sum, number, i) => sum + number * terms[i], 0)));
  };

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  return {count, amount, peakAt, element};
})();
