// Filters the differences by library, severity and method. Kept in the address.
"use strict";

{
  const form = document.getElementById("differences-filters");
  const items = [...document.querySelectorAll(".difference")];
  const names = ["library", "severity", "method"];

  function show() {
    const asked = Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
    let found = 0;
    for (const item of items) {
      const { library, severity, methods } = item.dataset;
      const fits =
        (!asked.library || library === asked.library) &&
        (!asked.severity || severity === asked.severity) &&
        (!asked.method || methods.split(" ").includes(asked.method));
      item.hidden = !fits;
      found += fits;
    }
    const filtered = names.some((name) => asked[name]);
    form.querySelector("output").textContent = filtered
      ? `${found} of ${items.length} differences`
      : "";
    return asked;
  }

  if (form) {
    filters.restore(form);
    form.addEventListener("change", () => filters.remember(show()));
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
    // a link to one of them shows it, whatever is filtered
    const reveal = () => {
      const item = document.getElementById(location.hash.slice(1))?.closest(".difference");
      if (!item?.hidden) return;
      form.reset();
      filters.remember(show());
      item.scrollIntoView();
    };
    window.addEventListener("hashchange", reveal);
    reveal();
  }
}
