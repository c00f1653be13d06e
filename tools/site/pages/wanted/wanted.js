// A button beside each work that opens the form for suggesting it, filled in as far as is known.
"use strict";

(() => {
  const repository = document.querySelector("meta[name=repository]")?.content;
  if (!repository) return;
  for (const work of document.querySelectorAll(".suggest")) {
    const {identifier, leaf} = work.dataset;
    const title = `Paper: ${work.parentElement.querySelector("a").textContent}`;
    const asked = new URLSearchParams({template: "paper.yml", title, identifier, ...(leaf && {leaf})});
    const link = document.createElement("a");
    link.href = `${repository}/issues/new?${asked}`;
    link.textContent = "Suggest it";
    work.append(" · ", link);
  }
})();
