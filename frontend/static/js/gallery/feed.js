/** The cards of a gallery, page by page as one scrolls, for whatever is looked for now. */

import { byId } from "../lib/dom.js";
import { call, sentence } from "../lib/http.js";

/** @typedef {import("../types.js").PictureCard} PictureCard */
/** @typedef {{items: PictureCard[], next: string | null}} Page */
/** @typedef {import("./cards.js").Card} Card */

const AHEAD_PX = 900;

export class Feed {
  /**
   * @param {string} api
   * @param {{make: (picture: PictureCard) => Card, onChange: () => void, isSearched: () => boolean}} gallery
   */
  constructor(api, gallery) {
    this.api = api;
    this.gallery = gallery;
    this.list = byId("gallery", HTMLElement);
    this.end = byId("gallery-end", HTMLElement);
    this.status = byId("gallery-status", HTMLElement);
    this.more = byId("gallery-more", HTMLButtonElement);
    /** @type {Map<string, Card>} in the order of the page */
    this.cards = new Map();
    /** @type {string | null} where the next cards begin; null when all are here */
    this.cursor = null;
    this.query = new URLSearchParams();
    /** @type {AbortController | null} */
    this.loading = null;
    this.more.addEventListener("click", () => void this.load());
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void this.load();
    }, { rootMargin: `${AHEAD_PX}px` }).observe(this.end);
  }

  /**
   * @param {Page} page the first one, which came with the document
   * @param {URLSearchParams} query
   */
  begin(page, query) {
    this.query = query;
    this.#add(page);
  }

  /**
   * Look for something else. What is on its way for the last search is given up.
   *
   * @param {URLSearchParams} query
   */
  async restart(query) {
    this.loading?.abort();
    this.loading = null;
    this.query = query;
    await this.#fetch("", () => {
      this.cards.clear();
      this.list.replaceChildren();
    });
  }

  async load() {
    if (this.loading || this.cursor === null) return;
    await this.#fetch(this.cursor, () => undefined);
  }

  /** @param {string} id */
  remove(id) {
    this.cards.get(id)?.element.remove();
    this.cards.delete(id);
    this.#show();
  }

  /**
   * @param {string} cursor
   * @param {() => void} prepare called when the answer is there
   */
  async #fetch(cursor, prepare) {
    const asked = new AbortController();
    this.loading = asked;
    this.more.hidden = true;
    this.status.textContent = "Loading pictures…";
    this.list.setAttribute("aria-busy", "true");
    const query = new URLSearchParams(this.query);
    if (cursor) query.set("cursor", cursor);
    try {
      const page = /** @type {Page} */ (await call(`${this.api}/pictures?${query}`, { signal: asked.signal }));
      if (this.loading !== asked) return;
      this.loading = null;
      prepare();
      this.#add(page);
      // Where the first cards do not fill the page nothing scrolls, so the next ones are asked for here.
      if (this.cursor !== null && this.end.getBoundingClientRect().top < window.innerHeight + AHEAD_PX) {
        queueMicrotask(() => void this.load());
      }
    } catch (error) {
      if (asked.signal.aborted) return;
      this.loading = null;
      this.status.textContent = sentence(error);
      this.more.textContent = "Try again";
      this.more.hidden = false;
      this.list.setAttribute("aria-busy", "false");
    }
  }

  /** @param {Page} page */
  #add(page) {
    this.cursor = page.next;
    // A picture that was changed while one scrolled may come a second time.
    const fresh = page.items.filter((picture) => !this.cards.has(picture.id)).map((picture) => this.gallery.make(picture));
    for (const card of fresh) this.cards.set(card.picture.id, card);
    this.list.append(...fresh.map((card) => card.element));
    this.list.setAttribute("aria-busy", "false");
    this.status.textContent = "";
    this.#show();
  }

  #show() {
    const none = this.cursor === null && this.cards.size === 0;
    byId("gallery-none", HTMLElement).hidden = !(none && this.gallery.isSearched());
    byId("gallery-empty", HTMLElement).hidden = !none || this.gallery.isSearched();
    this.end.hidden = none;
    this.gallery.onChange();
  }
}
