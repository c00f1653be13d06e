// Shows the entries of one branch, or only those that run here. Kept in the address.
"use strict";

{
  const form = document.querySelector("form.map-tools");
  const items = [...document.querySelectorAll(".news li")];

  function show() {
    const branch = form.branch.value;
    const runs = form.runs.checked;
    let found = 0;
    for (const item of items) {
      const fits =
        (!branch || item.dataset.branches.split(" ").includes(branch)) &&
        (!runs || item.classList.contains("runs"));
      found += fits;
      item.hidden = !fits;
    }
    for (const section of document.querySelectorAll(".news section")) {
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    const filtered = branch || runs;
    form.querySelector("output").textContent = filtered ? `${found} of ${items.length} entries` : "";
    filters.remember({branch, runs: runs && "1"});
  }

  if (form) {
    const asked = new URLSearchParams(location.search);
    form.branch.value = asked.get("branch") ?? "";
    if (form.branch.selectedIndex < 0) form.branch.value = "";
    form.runs.checked = asked.get("runs") === "1";
    form.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    if (form.branch.value || form.runs.checked) show();
  }
}
