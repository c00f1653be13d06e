// The calculator: evaluates closed-forms.js, as tools/data/closed_forms.py does in Python, and memory.js.
(() => {
  "use strict";

  const KINDS = ["weights", "gradients", "optimizer", "activations", "other"];
  const forms = window.closedForms;

  class Fault extends Error {
    constructor(field, message) {
      super(message);
      this.field = field;
    }
  }

  // ---- evaluation ----

  const whole = number => {
    if (!(Math.abs(number) <= Number.MAX_SAFE_INTEGER)) {
      throw new Fault("", "These numbers are too large to be counted exactly here.");
    }
    return number;
  };

  const term = (product, values) =>
    product
      .split("*")
      .reduce((sum, name) => whole(sum * (/^\d+$/.test(name) ? Number(name) : values[name])), 1);

  const value = (form, values) =>
    Object.entries(form).reduce(
      (sum, [product, coefficient]) => whole(sum + whole(coefficient * term(product, values))),
      0,
    );

  const derived = (rule, values) => {
    const [operation, operands] = Object.entries(rule)[0];
    if (operation === "sum") return value(operands, values);
    const numbers = operands.map(operand => term(operand, values));
    if (operation === "max") return Math.max(...numbers);
    if (operation === "min") return Math.min(...numbers);
    const rest = numbers[0] % numbers[1];
    const floor = Math.floor((numbers[0] - rest) / numbers[1]);
    return operation === "ceil" && rest ? floor + 1 : floor;
  };

  const derive = (rules, values) => {
    for (const [name, rule] of Object.entries(rules)) values[name] = derived(rule, values);
  };

  const faults = (rules, values) =>
    rules
      .filter(rule => {
        const [first, second] = [term(rule.first, values), term(rule.second, values)];
        return rule.must === "divide" ? second % first !== 0 : !(first <= second);
      })
      .map(rule => new Fault(rule.field, rule.message));

  // As `evaluate` in tools/data/closed_forms.py; throws the list of faults.
  const evaluate = (method, familyName, dimensions, inputs) => {
    const family = forms.families[familyName];
    const entry = forms.methods[method];
    if (Object.hasOwn(entry.refused, familyName)) throw [new Fault("method", entry.refused[familyName])];
    const choice = inputs.choice ?? Object.keys(entry.choices)[0];
    const { inputs: used, forms: byFamily } = entry.choices[choice];
    const form = byFamily[familyName];
    const values = { ...forms.batch };
    for (const [name, input] of Object.entries(entry.inputs)) values[name] = input.default;
    Object.assign(values, dimensions, inputs);
    derive(family.derived, values);
    for (const name of ["base", "head"]) values[name] = value(family[name], values);
    if (form.candidates) values.candidates = value(form.candidates, values);
    derive(entry.derived, values);
    const unused = name => Object.hasOwn(entry.inputs, name) && !used.includes(name);
    const rules = [...family.rules, ...entry.rules].filter(rule => !unused(rule.field));
    const broken = faults(rules, values);
    if (broken.length) throw broken;
    for (const name of ["trained", "stored"]) values[name] = value(form[name], values);
    const ledgers = form.phases.map(phase => {
      const ledger = Object.fromEntries(KINDS.map(kind => [kind, value(phase[kind], values)]));
      return { ledger, phase, total: KINDS.reduce((sum, kind) => whole(sum + ledger[kind]), 0) };
    });
    const most = ledgers.reduce((a, b) => (b.total > a.total ? b : a));
    const { trained, stored, head, base } = values;
    return { trained, stored, head, base, form, phases: ledgers.length, ...most };
  };

  if (!forms) return;
  forms.evaluate = evaluate;
  const form = document.getElementById("calculator-form");
  if (!form) return;

  const { count, amount, peakAt, element } = making;
  const ADAMW = 8; // bytes of state for each number that it trains
  const USUAL = "bfloat16";

  // ---- words ----

  const share = (part, all) => {
    const percent = (100 * part) / all;
    return percent >= 9.5 ? `${percent.toFixed(0)}%` : `${Number(percent.toPrecision(2))}%`;
  };

  const called = name => forms.symbols[name] ?? entry().symbols[name] ?? entry().inputs[name]?.meaning ?? name;

  const inWords = expression => {
    const parts = Object.entries(expression).map(([product, coefficient]) => {
      const names = product === "1" ? [] : product.split("*").map(called);
      const size = Math.abs(coefficient);
      const factors = size === 1 && names.length ? names : [count(size), ...names];
      return [coefficient < 0 ? "−" : "+", factors.join(" × ")];
    });
    const text = parts.map(([sign, words]) => `${sign} ${words}`).join(" ");
    return text.replace(/^\+ /, "") || "0";
  };

  // ---- the form ----

  const control = name => form.elements.namedItem(name);
  const entry = () => forms.methods[control("method").value];

  const numberField = (name, meaning, least, given, fraction = false) => {
    const input = element("input", { id: `input-${name}`, name, type: "number", value: given });
    input.step = fraction ? "any" : "1";
    input.min = least;
    input.setAttribute("aria-describedby", `fault-${name}`);
    const label = element("label", { htmlFor: input.id }, element("code", {}, name), ` ${meaning}`);
    const fault = element("span", { className: "fault", id: `fault-${name}` });
    return element("div", { className: "field" }, label, input, fault);
  };

  // Of a method without closed forms
  const onlyMeasured = () => {
    const names = Object.keys(entry().measured).filter(name => !entry().measured[name].refused);
    const titles = names.map(name => forms.architectures[name].title);
    const { B, S } = forms.batch;
    return `No closed form is declared: measured on ${titles.join(" and ")}, with ${B} rows of ${S} tokens.`;
  };

  // What was measured there; throws the list of faults.
  const measured = ({ B, S }) => {
    const found = entry().measured[control("architecture").value];
    if (!found || B !== forms.batch.B || S !== forms.batch.S) throw [new Fault("method", onlyMeasured())];
    if (found.refused) throw [new Fault("method", found.refused)];
    return found;
  };

  const showInputs = given => {
    const { choices: byName, inputs, measured: only } = entry();
    const place = document.getElementById("calculator-inputs");
    if (only) return place.replaceChildren(element("p", {}, onlyMeasured()));
    const choices = Object.keys(byName);
    const choice = choices.includes(given.choice) ? given.choice : choices[0];
    const fields = [];
    if (choices.length > 1) {
      const options = choices.map(name => new Option(name, name, false, name === choice));
      const select = element("select", { name: "choice" }, ...options);
      const label = element("label", { className: "field" }, element("span", {}, "Variant"), select);
      fields.push(label);
    }
    for (const name of byName[choice].inputs) {
      const input = inputs[name];
      const fraction = name === "density";
      const least = fraction ? 0 : input.least;
      fields.push(numberField(name, input.meaning, least, given[name] ?? input.default, fraction));
    }
    if (!fields.length) fields.push(element("p", {}, "Nothing of it changes these numbers."));
    return place.replaceChildren(...fields);
  };

  const showDimensions = given => {
    const family = forms.families[control("family").value];
    const place = document.getElementById("calculator-dimensions");
    const fields = Object.entries(family.dimensions).map(([name, least]) =>
      numberField(name, forms.symbols[name], least, given[name] ?? ""),
    );
    place.replaceChildren(...fields);
  };

  const showArchitecture = () => {
    const known = forms.architectures[control("architecture").value];
    if (!known) return;
    control("family").value = known.family;
    showDimensions(known.dimensions);
  };

  // What the fields hold; throws a list of faults.
  const read = () => {
    const found = {};
    const broken = [];
    for (const input of form.querySelectorAll("input")) {
      const number = input.valueAsNumber;
      const fraction = input.step === "any";
      const least = Number(input.min);
      found[input.name] = number;
      if (Number.isNaN(number) || (!fraction && !Number.isInteger(number))) {
        broken.push(new Fault(input.name, fraction ? "A number, please." : "A whole number, please."));
      } else if (number < least || (fraction && number === 0)) {
        broken.push(new Fault(input.name, fraction ? "More than 0." : `At least ${least}.`));
      } else if (input.name === "u" && number > 1) {
        broken.push(new Fault("u", "0 or 1."));
      }
    }
    if (broken.length) throw broken;
    const choice = control("choice");
    return choice ? { ...found, choice: choice.value } : found;
  };

  // ---- the results ----

  const byId = name => document.getElementById(`calculator-${name}`);

  const row = (name, kind, cells) => {
    const head = element("th", { scope: "row", ...(kind && { className: kind }) }, name);
    return element("tr", {}, head, ...cells.map(cell => element("td", {}, cell)));
  };

  const bar = (name, counts, longest) => {
    const drawn = element("div", { className: "bar" });
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", `${name}: ${amount(counts.total)}`);
    for (const kind of KINDS) {
      const part = element("span", { className: kind, title: `${kind}: ${amount(counts.ledger[kind])}` });
      part.style.width = `${(100 * counts.ledger[kind]) / longest}%`;
      drawn.append(part);
    }
    const label = element("span", { className: "name" }, name);
    const sum = element("span", { className: "amount" }, amount(counts.total));
    return element("div", { className: "stacked" }, label, drawn, sum);
  };

  // As in tools/site/shared/step_peaks.py.
  const withoutState = (peak, { ledger, trained, head, phases }) => {
    const adamw = trained + head > 0 && ledger.optimizer >= ADAMW * (trained + head) && phases === 1;
    return adamw ? peak - ledger.optimizer : null;
  };

  const isThePapers = ({ choice, ...given }) => {
    const { choices, inputs } = entry();
    const used = choices?.[choice ?? Object.keys(choices)[0]].inputs ?? [];
    const first = choice === undefined || choice === Object.keys(choices)[0];
    return first && used.every(name => given[name] === inputs[name].default);
  };

  // By setting the peak of each method that is told there, and what remains without AdamW's state.
  const peaks = (given, methods) => {
    const told = window.predictedPeaks.architectures[control("architecture").value]?.methods ?? {};
    const settings = isThePapers(given) ? Object.entries(told[control("method").value] ?? {}) : [];
    const rows = settings.filter(([, polynomials]) => Array.isArray(polynomials));
    return Object.fromEntries(
      rows.map(([setting]) => [
        setting,
        methods.flatMap(([method, counts]) => {
          const polynomials = told[method]?.[setting];
          if (!Array.isArray(polynomials)) return [null, null];
          const peak = peakAt(polynomials, given.B, given.S);
          return [peak, withoutState(peak, counts)];
        }),
      ]),
    );
  };

  const shown = number => (number === null ? "–" : amount(number));

  const showPeaks = (name, found) => {
    const box = byId("peaks");
    box.hidden = !Object.hasOwn(found, USUAL);
    byId("unknown").hidden = !box.hidden;
    box.querySelector("thead th:nth-child(2)").textContent = name;
    const rows = Object.entries(found).map(([setting, numbers]) => row(setting, "", numbers.map(shown)));
    box.querySelector("tbody").replaceChildren(...rows);
  };

  const show = (name, where, own, full, found) => {
    const [peak, , fullPeak] = found[USUAL] ?? [null, null, full.total];
    const taken = peak
      ? ["A training step takes ", element("strong", {}, amount(peak)), ` at its peak with ${USUAL} weights`]
      : ["A training step keeps ", element("strong", {}, amount(own.total)), " in 32 bits"];
    byId("said").replaceChildren(
      element("strong", {}, name),
      ` on ${where} trains `,
      element("strong", {}, count(own.trained)),
      ` parameters, ${share(own.trained, own.base)} of the base. `,
      ...taken,
      `; full fine-tuning ${shown(fullPeak)}.`,
    );
    showPeaks(name, found);
    for (const table of ["numbers", "counts"]) {
      byId(table).querySelector("thead th:nth-child(2)").textContent = name;
    }
    const kinds = KINDS.map(kind => row(kind, kind, [count(own.ledger[kind]), count(full.ledger[kind])]));
    const total = row("total", "", [count(own.total), count(full.total)]);
    total.className = "total";
    byId("numbers").tBodies[0].replaceChildren(...kinds, total);
    const counts = ["trained", "stored", "head", "base"].map(key => row(key, "", [count(own[key])]));
    const part = row("trained, share of base", "", [share(own.trained, own.base)]);
    part.className = "total";
    byId("counts").tBodies[0].replaceChildren(...counts, part);
    const longest = Math.max(own.total, full.total);
    byId("bars").replaceChildren(bar(name, own, longest), bar("Full fine-tuning", full, longest));
    const equations = own.form
      ? [
          ["trained", own.form.trained],
          ["stored", own.form.stored],
          ...KINDS.map(kind => [`${kind}, bytes`, own.phase[kind]]),
        ]
      : [];
    byId("equations").parentElement.hidden = !own.form;
    byId("equations").replaceChildren(
      ...equations.flatMap(([key, expression]) => [
        element("dt", {}, key),
        element("dd", {}, inWords(expression)),
      ]),
    );
  };

  const complain = broken => {
    for (const place of form.querySelectorAll(".fault")) place.textContent = "";
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    for (const fault of broken) {
      const place = document.getElementById(`fault-${fault.field}`);
      if (place && !place.textContent) place.textContent = fault.message;
      control(fault.field)?.setAttribute?.("aria-invalid", "true");
    }
    byId("results").classList.toggle("stale", broken.length > 0);
    if (broken.length) {
      const first = broken[0];
      const label = first.field && first.field !== "method" ? `${first.field}: ` : "";
      byId("said").textContent = `${label}${first.message}`;
    }
  };

  const remember = () => {
    const implied = name => control("architecture").value !== "own" && (name === "family" || dimension(name));
    const fields = [...form.elements].filter(({ name }) => name && !implied(name));
    filters.remember(Object.fromEntries(fields.map(({ name, value: given }) => [name, given])));
  };

  const dimension = name => Object.hasOwn(forms.families[control("family").value].dimensions, name);

  const update = () => {
    remember();
    const method = control("method").value;
    form.querySelector(".more").href = `${method}.html`;
    try {
      const given = read();
      const dimensions = Object.fromEntries(
        Object.keys(forms.families[control("family").value].dimensions).map(key => [key, given[key]]),
      );
      const family = control("family").value;
      const own = entry().measured ? measured(given) : evaluate(method, family, dimensions, given);
      const full = evaluate(forms.full, family, dimensions, { B: given.B, S: given.S });
      const where = forms.architectures[control("architecture").value]?.title ?? "your dimensions";
      complain([]);
      show(entry().title, where, own, full, peaks(given, [[method, own], [forms.full, full]]));
    } catch (error) {
      if (error instanceof Fault) complain([error]);
      else if (Array.isArray(error)) complain(error);
      else throw error;
    }
  };

  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    const { name } = target;
    if (name === "method") showInputs({});
    if (name === "choice") showInputs({ ...asGiven(), choice: target.value });
    if (name === "architecture") showArchitecture();
    if (name === "family") {
      control("architecture").value = "own";
      showDimensions(asGiven());
    }
    if (dimension(name)) control("architecture").value = "own";
    if (name === "choice") control("choice").focus();
    update();
  });

  // What the fields hold, right or wrong.
  const asGiven = () => Object.fromEntries([...form.elements].map(({ name, value: v }) => [name, v]));

  // ---- the address ----

  const restore = () => {
    const given = Object.fromEntries(new URLSearchParams(location.search));
    const known = (table, name) => name !== undefined && Object.hasOwn(table, name);
    if (known(forms.methods, given.method)) control("method").value = given.method;
    if (known(forms.architectures, given.architecture) || given.architecture === "own") {
      control("architecture").value = given.architecture;
    }
    if (given.architecture === "own" && known(forms.families, given.family)) {
      control("family").value = given.family;
      showDimensions(given);
    } else {
      showArchitecture();
    }
    for (const name of ["B", "S"]) if (given[name]) control(name).value = given[name];
    showInputs(given);
  };

  restore();
  update();
})();
