// Shows one survey of the crosswalk, or all. The choice is kept in the address.
"use strict";

{
  const form = document.querySelector("form.map-tools");
  const parts = document.querySelectorAll(".crosswalk [data-survey], .cuts [data-survey]");

  function show() {
    const survey = form.survey.value;
    for (const part of parts) part.hidden = Boolean(survey) && part.dataset.survey !== survey;
    for (const heading of document.querySelectorAll(".crosswalk .top th")) {
      heading.colSpan = survey ? 2 : document.querySelectorAll(".crosswalk thead th").length;
    }
    document.querySelector(".crosswalk").classList.toggle("single", Boolean(survey));
    filters.remember({survey});
  }

  function announce() {
    const own = document.querySelectorAll(".crosswalk td.own:not([hidden])").length;
    const all = document.querySelectorAll(".crosswalk tbody tr:not(.top)").length;
    const one = Boolean(form.survey.value);
    form.querySelector("output").textContent = one ? `${own} of ${all} leaves cut the same` : "";
  }

  form?.addEventListener("change", () => {
    show();
    announce();
  });
  const asked = new URLSearchParams(location.search).get("survey");
  const choice = [...(form?.survey ?? [])].find((radio) => radio.value === asked);
  if (choice && asked) {
    choice.checked = true;
    show();
    announce();
  }
}
