/** What can be done with the selected pictures. Each call does all of them or none. */

import { byId, icon, make } from "../lib/dom.js";
import { counted } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";

const THROWN = "reweave:thrown-away";

/** @typedef {import("./cards.js").Card} Card */
/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {import("./selection.js").Selection} Selection */

export class Bulk {
  /**
   * @param {string} api
   * @param {Feed} feed
   * @param {Selection} selection
   */
  constructor(api, feed, selection) {
    this.api = api;
    this.feed = feed;
    this.selection = selection;
    /** @type {Card[]} what the open question is about */
    this.asked = [];
    document.getElementById("erase-dialog")?.addEventListener("submit", (event) => {
      const button = event.submitter;
      void this.#answered(button instanceof HTMLButtonElement ? button.value : "keep");
    });
    for (const button of document.querySelectorAll("dialog:not(#share-dialog) [data-close]")) {
      button.addEventListener("click", () => button.closest("dialog")?.close());
    }
    document.getElementById("tag-form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      const field = byId("tag-new", HTMLInputElement);
      if (field.value.trim()) void this.#tag({ add: [field.value] });
      field.value = "";
    });
    document.getElementById("move-form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#move();
    });
  }

  /** Offer the way back for what was thrown away on its own page, which led here. */
  offerUndo() {
    const note = sessionStorage.getItem(THROWN);
    sessionStorage.removeItem(THROWN);
    if (!note) return;
    const { id, title } = JSON.parse(note);
    toast(`“${title}” is in the trash.`, "success", { label: "Undo", run: () => void this.#undo([id]) });
  }

  /** @param {Card[]} cards */
  async favourite(cards) {
    const favourite = !cards.every((card) => card.picture.favourite);
    await this.#send("favourite", cards, { favourite }, () => {
      for (const card of cards) {
        card.picture.favourite = favourite;
        card.refresh();
      }
    });
  }

  /**
   * Into the trash, with a way back.
   *
   * @param {Card[]} cards
   */
  async trash(cards) {
    const next = neighbour(cards);
    await this.#send("trash", cards, {}, () => {
      this.#drop(cards, next);
      const what = cards.length === 1 ? `“${cards[0]?.picture.title}” is` : `${counted(cards.length, "picture", "pictures")} are`;
      const ids = cards.map((card) => card.picture.id);
      toast(`${what} in the trash.`, "success", { label: "Undo", run: () => void this.#undo(ids) });
    });
  }

  /** @param {Card[]} cards */
  async restore(cards) {
    const next = neighbour(cards);
    await this.#send("restore", cards, {}, () => {
      this.#drop(cards, next);
      toast(`${counted(cards.length, "picture is", "pictures are")} back.`, "success");
    });
  }

  /** @param {Card[]} cards */
  erase(cards) {
    this.asked = cards;
    const title = cards.length === 1 ? `“${cards[0]?.picture.title}”` : counted(cards.length, "picture", "pictures");
    byId("erase-name", HTMLElement).textContent = title;
    byId("erase-dialog", HTMLDialogElement).showModal();
  }

  /** @param {string} answer of the dialog's form: its “close” comes late, perhaps after the next question was asked */
  async #answered(answer) {
    const cards = this.asked;
    this.asked = [];
    if (answer !== "erase" || cards.length === 0) return;
    const next = neighbour(cards);
    await this.#send("erase", cards, {}, () => {
      this.#drop(cards, next);
      toast(`${counted(cards.length, "picture is", "pictures are")} gone.`, "success");
    });
  }

  openTags() {
    byId("tag-error", HTMLElement).textContent = "";
    this.#showTags();
    byId("tag-dialog", HTMLDialogElement).showModal();
  }

  openMove() {
    byId("move-error", HTMLElement).textContent = "";
    byId("move-dialog", HTMLDialogElement).showModal();
  }

  /** @param {{add?: string[], remove?: string[]}} change */
  async #tag(change) {
    const cards = this.selection.chosen();
    const error = byId("tag-error", HTMLElement);
    error.textContent = "";
    try {
      await call(`${this.api}/pictures/tags`, { method: "POST", body: { pictures: idsOf(cards), ...change } });
    } catch (problem) {
      error.textContent = sentence(problem);
      return;
    }
    for (const card of cards) {
      const gone = new Set((change.remove ?? []).map(folded));
      const kept = card.picture.tags.filter((tag) => !gone.has(folded(tag)));
      const there = new Set(kept.map(folded));
      const added = (change.add ?? []).map((tag) => tag.trim().replace(/\s+/g, " ")).filter((tag) => !there.has(folded(tag)));
      card.picture.tags = [...kept, ...added].sort((a, b) => folded(a).localeCompare(folded(b)));
      card.refresh();
    }
    this.#showTags();
  }

  #showTags() {
    const tags = new Map(this.selection.chosen().flatMap((card) => card.picture.tags.map((tag) => [folded(tag), tag])));
    byId("tag-there", HTMLElement).replaceChildren(
      ...[...tags.values()].map((tag) => {
        const button = make("button", { class: "chip", type: "button", "aria-label": `Take off ${tag}` }, tag, icon("close"));
        button.addEventListener("click", () => void this.#tag({ remove: [tag] }));
        return make("li", {}, button);
      }),
    );
    byId("tag-there-title", HTMLElement).hidden = tags.size === 0;
  }

  async #move() {
    const cards = this.selection.chosen();
    const choice = byId("move-to", HTMLSelectElement);
    const name = choice.selectedOptions[0]?.textContent ?? "";
    try {
      await call(`${this.api}/pictures/move`, { method: "POST", body: { pictures: idsOf(cards), team: choice.value || null } });
    } catch (error) {
      byId("move-error", HTMLElement).textContent = sentence(error);
      return;
    }
    const next = neighbour(cards);
    byId("move-dialog", HTMLDialogElement).close();
    this.#drop(cards, next);
    toast(`${counted(cards.length, "picture", "pictures")} moved to ${name}.`, "success");
  }

  /** @param {string[]} ids */
  async #undo(ids) {
    try {
      await call(`${this.api}/pictures/restore`, { method: "POST", body: { pictures: ids } });
      await this.feed.restart(this.feed.query);
      toast(ids.length === 1 ? "It is back." : "They are back.", "success");
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  /**
   * @param {string} action
   * @param {Card[]} cards
   * @param {object} more
   * @param {() => void} then
   */
  async #send(action, cards, more, then) {
    try {
      await call(`${this.api}/pictures/${action}`, { method: "POST", body: { pictures: idsOf(cards), ...more } });
      then();
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  /**
   * @param {Card[]} cards
   * @param {Element | null} next gets the focus
   */
  #drop(cards, next) {
    for (const card of cards) this.feed.remove(card.picture.id);
    this.selection.refresh();
    const target = next?.isConnected ? next.querySelector("a, input") : null;
    (target instanceof HTMLElement ? target : byId("main", HTMLElement)).focus();
  }
}

/**
 * Leave a note for the gallery that is opened next.
 *
 * @param {{id: string, title: string}} picture
 */
export function noteThrownAway(picture) {
  sessionStorage.setItem(THROWN, JSON.stringify({ id: picture.id, title: picture.title }));
}

/** @param {Card[]} cards */
function idsOf(cards) {
  return cards.map((card) => card.picture.id);
}

/** @param {string} tag */
function folded(tag) {
  return tag.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

/**
 * @param {Card[]} cards that go
 * @returns {Element | null} the card after them, or before
 */
function neighbour(cards) {
  const last = cards[cards.length - 1]?.element;
  return last?.nextElementSibling ?? cards[0]?.element.previousElementSibling ?? null;
}
