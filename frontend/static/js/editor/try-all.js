/** Which models shall try a hole: a list to tick, the slow ones only when they are asked for. */

import { byId, make } from "../lib/dom.js";
import { counted, duration } from "../lib/format.js";
import { costBadge } from "./panel.js";
import { workedSeconds } from "./result-view.js";

/** @typedef {import("../types.js").Model} Model */
/** @typedef {import("../types.js").Version} Version */

const USUAL = /** @type {Record<string, string>} */ ({
  instant: "a second or two",
  fast: "seconds, minutes for large holes",
  slow: "minutes, hours for large holes",
});

/**
 * @param {Model} model
 * @param {Version[]} versions of the picture, oldest first
 * @returns {string} how long it will take, as far as that can be said
 */
export function timeWords(model, versions) {
  const last = versions.findLast((version) => version.model === model.key);
  const seconds = last ? workedSeconds(last) : 0;
  const usual = USUAL[model.cost] ?? "";
  if (seconds === 0) return usual ? `Usually ${usual}` : "";
  return `${duration(seconds)} the last time on this photo`;
}

/** @param {Model} model @returns {boolean} whether it is ticked before anybody said so */
export function triedUnasked(model) {
  return model.cost !== "slow";
}

export class TryAll {
  /**
   * @param {Model[]} models
   * @param {(keys: string[]) => void} onStart
   */
  constructor(models, onStart) {
    this.models = models;
    this.dialog = byId("try-all-dialog", HTMLDialogElement);
    this.form = byId("try-all-form", HTMLFormElement);
    this.list = byId("try-all-models", HTMLElement);
    this.start = byId("try-all-start", HTMLButtonElement);
    this.form.addEventListener("change", () => this.#count());
    // The answer is the form's: a dialog's “close” comes late and does not say which button it was.
    this.form.addEventListener("submit", () => {
      const keys = this.#ticked();
      if (keys.length > 0) onStart(keys);
    });
    for (const button of this.form.querySelectorAll("[data-leave]")) {
      button.addEventListener("click", () => this.dialog.close());
    }
  }

  /** @param {Version[]} versions of the picture, oldest first */
  ask(versions) {
    this.list.replaceChildren(...this.models.map((model) => this.#row(model, versions)));
    this.#count();
    this.dialog.showModal();
  }

  /**
   * @param {Model} model
   * @param {Version[]} versions
   */
  #row(model, versions) {
    const id = `try-${model.key}`;
    const input = make("input", { type: "checkbox", name: "models", value: model.key, id, "aria-describedby": `${id}-time` });
    input.checked = triedUnasked(model);
    return make(
      "label",
      { class: "try", for: id },
      input,
      make("span", { class: "try__title" }, model.title),
      costBadge(model),
      make("span", { class: "try__time", id: `${id}-time` }, timeWords(model, versions)),
    );
  }

  /** @returns {string[]} */
  #ticked() {
    return [...this.list.querySelectorAll("input")].filter((input) => input.checked).map((input) => input.value);
  }

  #count() {
    const { length } = this.#ticked();
    this.start.disabled = length === 0;
    this.start.textContent = length === 0 ? "Choose a model" : `Try ${counted(length, "model", "models")}`;
  }
}
