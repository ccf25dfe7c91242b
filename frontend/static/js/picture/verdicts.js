/** What reviewers hold of the version on show, and one's own verdict. */

import { reviewBadge } from "../gallery/cards.js";
import { byId, make } from "../lib/dom.js";
import { personName, timeAgo } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";

/** @typedef {import("../types.js").Reviews} Reviews */
/** @typedef {import("../types.js").Verdict} Verdict */

export class Verdicts {
  /**
   * @param {{api: string, me: string, reviews: Reviews, version: () => string}} page
   * @param {() => void} onChange
   */
  constructor(page, onChange) {
    this.page = page;
    this.onChange = onChange;
    const form = document.getElementById("verdict-form");
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = event.submitter;
      void this.#decide(button instanceof HTMLButtonElement ? button.value : "approved");
    });
    document.getElementById("withdraw")?.addEventListener("click", () => void this.#withdraw());
  }

  show() {
    const here = this.page.reviews.verdicts.filter((verdict) => verdict.version === this.page.version());
    byId("verdicts", HTMLElement).replaceChildren(
      ...here.map((verdict) =>
        make(
          "li",
          {},
          reviewBadge(verdict.state),
          make("b", {}, personName(verdict.reviewer)),
          make("span", {}, timeAgo(verdict.decided_at)),
          verdict.note ? make("span", { class: "verdicts__note" }, verdict.note) : null,
        ),
      ),
    );
    if (here.length === 0) byId("verdicts", HTMLElement).append(make("li", {}, "No verdict on this version yet."));
    const withdraw = document.getElementById("withdraw");
    if (withdraw) withdraw.hidden = !here.some((verdict) => verdict.reviewer?.id === this.page.me);
  }

  /** @param {string} state */
  async #decide(state) {
    const note = byId("verdict-note", HTMLInputElement);
    const version = this.page.version();
    try {
      const url = `${this.page.api}/versions/${version}/verdict`;
      const verdict = /** @type {Verdict} */ (await call(url, { method: "PUT", body: { state, note: note.value } }));
      note.value = "";
      this.#drop(version);
      this.page.reviews.verdicts.unshift(verdict);
      this.onChange();
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  async #withdraw() {
    const version = this.page.version();
    try {
      await call(`${this.page.api}/versions/${version}/verdict`, { method: "DELETE" });
      this.#drop(version);
      this.onChange();
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  /** @param {string} version */
  #drop(version) {
    const { reviews, me } = this.page;
    reviews.verdicts = reviews.verdicts.filter((each) => each.version !== version || each.reviewer?.id !== me);
  }
}
