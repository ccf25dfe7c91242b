/** Which pictures are ticked, and the bar that says so. */

import { byId, make } from "../lib/dom.js";
import { counted } from "../lib/format.js";

/** @typedef {import("./cards.js").Card} Card */

export class Selection {
  /** @param {() => Iterable<Card>} cards all that are on the page, in their order */
  constructor(cards) {
    this.cards = cards;
    this.bar = byId("selection", HTMLFormElement);
    this.count = byId("selection-count", HTMLElement);
    this.ids = byId("selection-ids", HTMLElement);
    this.list = byId("gallery", HTMLElement);
    /** @type {string | null} where a range begins */
    this.anchor = null;
    document.addEventListener("keydown", (event) => {
      const elsewhere = event.target instanceof Element && event.target.closest("dialog, input:not([type=checkbox]), select, textarea");
      if (elsewhere || event.defaultPrevented) return;
      if (event.key === "Escape" && this.chosen().length > 0) this.clear();
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
        event.preventDefault();
        for (const card of this.cards()) card.tick.checked = true;
        this.refresh();
      }
    });
  }

  /** @returns {Card[]} */
  chosen() {
    return [...this.cards()].filter((card) => card.tick.checked);
  }

  /**
   * @param {Card} card that was just ticked or not
   * @param {boolean} range everything from the last one on gets the same
   */
  ticked(card, range) {
    const all = [...this.cards()];
    const from = all.findIndex((each) => each.picture.id === this.anchor);
    const to = all.indexOf(card);
    if (range && from >= 0) {
      for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.tick.checked = card.tick.checked;
    }
    this.anchor = card.picture.id;
    this.refresh();
  }

  clear() {
    for (const card of this.cards()) card.tick.checked = false;
    this.refresh();
  }

  refresh() {
    const chosen = this.chosen();
    this.bar.hidden = chosen.length === 0;
    this.list.classList.toggle("is-selecting", chosen.length > 0);
    this.count.textContent = `${counted(chosen.length, "picture", "pictures")} selected`;
    this.ids.replaceChildren(
      ...chosen.map((card) => make("input", { type: "hidden", name: "pictures", value: card.picture.id })),
    );
  }
}
