/** Which model, with which settings. The catalogue on the server says what there is; nothing is listed here. */

import { byId, make } from "../lib/dom.js";

/** @typedef {import("../types.js").Model} Model */
/** @typedef {import("../types.js").Param} Param */

const REMEMBERED = "reweave:model";
const COSTS = /** @type {Record<string, string>} */ ({ instant: "Instant", fast: "Fast", slow: "Slow" });

/**
 * @param {Model} model
 * @returns {HTMLElement} what it costs in time, in a word
 */
export function costBadge({ cost }) {
  return make("span", { class: cost === "slow" ? "badge badge--warning" : "badge" }, COSTS[cost] ?? cost);
}

export class Panel {
  /** @param {Model[]} models */
  constructor(models) {
    this.models = models;
    this.list = byId("models", HTMLElement);
    this.form = byId("params", HTMLFormElement);
    this.box = byId("params-box", HTMLDetailsElement);
    this.changed = byId("params-changed", HTMLElement);
    /** @type {Record<string, Record<string, any>>} what was set, by model */
    this.values = {};
    /** @type {Model | null} */
    this.chosen = null;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.list.append(...models.map((model) => this.#card(model)));
    const remembered = models.find((model) => model.key === remember());
    const first = remembered ?? models[0];
    if (first) this.choose(first.key);
  }

  /** @param {string} key */
  choose(key) {
    const model = this.models.find((entry) => entry.key === key);
    if (!model || model === this.chosen) return;
    this.chosen = model;
    remember(key);
    for (const input of this.list.querySelectorAll("input")) {
      input.checked = input.value === key;
      // Where the cards lie in a row, the chosen one must not be out of sight.
      if (input.checked) input.closest("label")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    this.values[key] ??= Object.fromEntries(model.params.map((param) => [param.name, param.default]));
    this.box.hidden = model.params.length === 0;
    this.form.replaceChildren(...model.params.map((param) => this.#row(model, param)));
    this.#countChanges();
  }

  /** @returns {Record<string, any>} the chosen model's settings */
  get params() {
    return this.chosen ? { ...this.values[this.chosen.key] } : {};
  }

  /** @returns {string | null} why the settings cannot be used */
  get problem() {
    const wrong = this.form.querySelector("[aria-invalid=true]");
    if (!wrong) return null;
    this.box.open = true;
    return this.form.querySelector(".errorlist")?.textContent ?? "One of the settings is out of range.";
  }

  /** @param {Model} model */
  #card(model) {
    const input = make("input", { type: "radio", name: "model", value: model.key, id: `model-${model.key}` });
    input.addEventListener("change", () => this.choose(model.key));
    const { paper } = model;
    const source = paper ? `${paper.authors}, “${paper.title}”, ${paper.year}` : null;
    return make(
      "label",
      { class: "model", for: input.id },
      input,
      make("span", { class: "model__title" }, model.title),
      costBadge(model),
      make("span", { class: "model__text" }, model.summary),
      model.measured ? make("span", { class: "model__measured" }, model.measured) : null,
      source ? make("span", { class: "model__paper" }, source) : null,
    );
  }

  /**
   * @param {Model} model
   * @param {Param} param
   */
  #row(model, param) {
    const id = `param-${param.name}`;
    const row = make("div", { class: "param" }, make("label", { for: id }, param.label));
    const help = param.help ? make("p", { class: "param__help", id: `${id}-help` }, param.help) : null;
    const values = /** @type {Record<string, any>} */ (this.values[model.key]);
    const set = (/** @type {any} */ value) => {
      values[param.name] = value;
      this.#countChanges();
    };
    const described = help ? help.id : null;
    if (param.kind === "bool") {
      const input = make("input", { id, type: "checkbox", "aria-describedby": described });
      input.checked = Boolean(values[param.name]);
      input.addEventListener("change", () => set(input.checked));
      row.append(input);
    } else if (param.kind === "choice") {
      const select = make("select", { id, class: "param__value", "aria-describedby": described });
      select.append(...param.choices.map((choice) => make("option", { value: choice }, choice)));
      select.value = String(values[param.name]);
      select.addEventListener("change", () => set(select.value));
      row.append(select);
    } else {
      row.append(...numberInputs(id, param, values[param.name], described, set));
    }
    if (help) row.append(help);
    return row;
  }

  #countChanges() {
    const model = this.chosen;
    if (!model) return;
    const values = /** @type {Record<string, any>} */ (this.values[model.key]);
    const count = model.params.filter((param) => values[param.name] !== param.default).length;
    this.changed.textContent = count > 0 ? `${count} changed` : "";
  }
}

/**
 * A number to type, and a slider where the range has two ends.
 *
 * @param {string} id
 * @param {Param} param
 * @param {number} value
 * @param {string | null} described
 * @param {(value: number) => void} set
 * @returns {HTMLElement[]}
 */
function numberInputs(id, param, value, described, set) {
  const { minimum, maximum } = param;
  const ranged = minimum !== null && maximum !== null;
  const step = param.kind === "int" ? 1 : ranged ? (maximum - minimum) / 100 : "any";
  const box = make("input", {
    id,
    class: "param__value",
    type: "number",
    min: minimum,
    max: maximum,
    step: param.kind === "int" ? 1 : "any",
    value,
    inputmode: param.kind === "int" ? "numeric" : "decimal",
    "aria-describedby": described,
  });
  const slider = ranged
    ? make("input", { type: "range", min: minimum, max: maximum, step, value, "aria-label": param.label, tabindex: -1 })
    : null;
  const problem = make("p", { class: "errorlist", role: "alert" });
  box.addEventListener("input", () => {
    const number = box.valueAsNumber;
    const fits =
      Number.isFinite(number) &&
      (minimum === null || number >= minimum) &&
      (maximum === null || number <= maximum) &&
      (param.kind !== "int" || Number.isInteger(number));
    box.setAttribute("aria-invalid", String(!fits));
    problem.textContent = fits ? "" : `“${param.label}” must be ${describeRange(param)}.`;
    if (!fits) return;
    if (slider) slider.valueAsNumber = number;
    set(number);
  });
  slider?.addEventListener("input", () => {
    box.valueAsNumber = slider.valueAsNumber;
    box.dispatchEvent(new Event("input"));
  });
  return slider ? [box, slider, problem] : [box, problem];
}

/** @param {Param} param */
function describeRange({ kind, minimum, maximum }) {
  const what = kind === "int" ? "a whole number" : "a number";
  if (minimum !== null && maximum !== null) return `${what} from ${minimum} to ${maximum}`;
  if (minimum !== null) return `${what} of at least ${minimum}`;
  return maximum !== null ? `${what} of at most ${maximum}` : what;
}

/**
 * @param {string} [key] to keep; without it, what was kept
 * @returns {string | null}
 */
function remember(key) {
  try {
    if (key !== undefined) localStorage.setItem(REMEMBERED, key);
    return localStorage.getItem(REMEMBERED);
  } catch {
    // Storage may be switched off; the choice is then only not remembered.
    return null;
  }
}
