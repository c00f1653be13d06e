// Narrows the table of methods to what the reader needs. Kept in the address.
"use strict";

{
  const form = document.querySelector("form.map-tools");
  const rows = [...document.querySelectorAll(".choice tbody tr")];
  const boxes = [...form.querySelectorAll("[name=need]")];

  function show() {
    const wanted = boxes.filter((box) => box.checked).map((box) => box.value);
    let found = 0;
    for (const row of rows) {
      const has = row.dataset.has.split(" ");
      row.hidden = !wanted.every((need) => has.includes(need));
      found += !row.hidden;
    }
    document.querySelector(".nothing").hidden = found > 0;
    form.querySelector("output").textContent = wanted.length ? `${found} of ${rows.length} methods` : "";
    filters.remember({need: wanted.join(" ")});
  }

  const asked = (new URLSearchParams(location.search).get("need") ?? "").split(" ");
  for (const box of boxes) box.checked = asked.includes(box.value);
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  if (boxes.some((box) => box.checked)) show();
}
