/** The search form: it works without this as a plain form; with it the gallery follows while one types. */

import { byId } from "../lib/dom.js";

const TYPING_MS = 250;

export class SearchForm {
  /** @param {(query: URLSearchParams) => void} onSearch */
  constructor(onSearch) {
    this.form = byId("search", HTMLFormElement);
    this.onSearch = onSearch;
    this.timer = 0;
    this.last = this.query().toString();
    const filters = byId("search-filters", HTMLElement);
    const toggle = byId("search-toggle", HTMLButtonElement);
    toggle.addEventListener("click", () => {
      filters.hidden = !filters.hidden;
      toggle.setAttribute("aria-expanded", String(!filters.hidden));
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search(0);
    });
    this.form.addEventListener("input", (event) => {
      this.#percents();
      const typed = event.target instanceof HTMLInputElement && ["search", "number", "date"].includes(event.target.type);
      this.#search(typed ? TYPING_MS : 0);
    });
    byId("search-reset", HTMLButtonElement).addEventListener("click", () => this.reset());
    byId("gallery-reset", HTMLButtonElement).addEventListener("click", () => this.reset());
    for (const [field, hidden] of this.#shares()) if (hidden.value) field.value = String(Number((Number(hidden.value) * 100).toFixed(3)));
    this.#count();
  }

  /** @returns {URLSearchParams} what is filled in, without what is empty */
  query() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) {
      if (typeof value === "string" && value.trim() && !(name === "sort" && value === "changed")) query.set(name, value.trim());
    }
    return query;
  }

  get isSearched() {
    const query = this.query();
    query.delete("sort");
    return query.size > 0;
  }

  reset() {
    for (const field of this.form.elements) {
      if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = false;
      else if (field instanceof HTMLInputElement || (field instanceof HTMLSelectElement && field.name !== "sort")) field.value = "";
    }
    this.#search(0);
    this.form.querySelector("input")?.focus();
  }

  /** @param {number} delay */
  #search(delay) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const query = this.query();
      if (query.toString() === this.last) return;
      this.last = query.toString();
      this.#count();
      history.replaceState(null, "", this.last ? `?${this.last}` : window.location.pathname);
      this.onSearch(query);
    }, delay);
  }

  #count() {
    const query = this.query();
    for (const name of ["q", "sort"]) query.delete(name);
    const badge = byId("search-number", HTMLElement);
    badge.textContent = String(query.size);
    badge.hidden = query.size === 0;
  }

  #percents() {
    for (const [field, hidden] of this.#shares()) {
      const share = field.valueAsNumber / 100;
      hidden.value = Number.isFinite(share) ? String(Math.min(1, Math.max(0, Number(share.toFixed(6))))) : "";
    }
  }

  /** @returns {[HTMLInputElement, HTMLInputElement][]} what people see in percent, and what is sent */
  #shares() {
    return [...this.form.querySelectorAll("input[data-percent]")].map((field) => {
      const hidden = this.form.elements.namedItem(field.getAttribute("data-percent") ?? "");
      return [/** @type {HTMLInputElement} */ (field), /** @type {HTMLInputElement} */ (hidden)];
    });
  }
}
