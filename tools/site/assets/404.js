// On a page that is not found: the addresses nearest to the one that was asked for.
"use strict";

{
  const near = document.querySelector("#near");
  const root = new URL(near.dataset.root, location.href);
  root.pathname = root.pathname.replace(/[^/]*$/, "");

  // What of an address tells pages apart: its last part, without ending and case.
  const word = (path) => (path.replace(/\/+$/, "").split("/").pop() ?? "").replace(/\.\w+$/, "").toLowerCase();

  // How many letters two words have to exchange, insert or drop.
  function distance(one, other) {
    let row = Array.from({ length: other.length + 1 }, (_, i) => i);
    for (let i = 1; i <= one.length; i += 1) {
      const next = [i];
      for (let j = 1; j <= other.length; j += 1) {
        const changed = row[j - 1] + (one[i - 1] !== other[j - 1]);
        next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1));
      }
      row = next;
    }
    return row[other.length];
  }

  // 0 for the same word, 1 for words with nothing in common; part of a word is near to it.
  function far(asked, known) {
    const longest = Math.max(asked.length, known.length) || 1;
    const part = asked.length > 2 && (known.includes(asked) || asked.includes(known));
    return part ? 0.3 * (1 - Math.min(asked.length, known.length) / longest) : distance(asked, known) / longest;
  }

  async function suggest() {
    const answer = await fetch(new URL("export/addresses.json", root));
    if (!answer.ok) return;
    let asked = location.pathname;
    try {
      asked = decodeURIComponent(asked);
    } catch {
      // an address that is not encoded well is looked for as it stands
    }
    const wanted = word(asked.slice(0, 400)).slice(0, 80);
    const folder = asked.split("/").at(-2);
    const found = Object.entries(await answer.json())
      .map(([path, name]) => ({ path, name, far: far(wanted, word(path)), away: !path.startsWith(`${folder}/`) }))
      .filter((page) => page.far <= 0.4)
      .sort((a, b) => a.far - b.far || a.away - b.away || a.path.localeCompare(b.path))
      .slice(0, 5);
    for (const page of found) {
      const link = document.createElement("a");
      link.href = new URL(page.path, root);
      link.textContent = page.name;
      const item = document.createElement("li");
      item.append(link, ` ${page.path}`);
      near.querySelector("ul").append(item);
    }
    if (found.length) near.style.visibility = "visible";
  }

  if (location.protocol.startsWith("http") && word(location.pathname)) suggest().catch(() => {});
}
