/** Every version of the picture as a small picture; a click goes there, nothing is ever deleted by it. */

import { byId, icon, make } from "../lib/dom.js";
import { timeAgo } from "../lib/format.js";
import { places } from "./version-tree.js";

/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("./version-tree.js").Place} Place */

const GLIMPSE_AFTER_MS = 140;
const LANES = 4;

/** @param {Version} version */
export function versionName(version) {
  return version.model ? version.model_title || version.model : "Original";
}

export class HistoryStrip {
  /**
   * @param {{onChoose: (version: Version) => void, onGlimpse: (version: Version | null) => void}} listeners
   *   `onGlimpse` gets the version the pointer rests on
   */
  constructor(listeners) {
    this.list = byId("history", HTMLElement);
    this.listeners = listeners;
    /** @type {Map<string, HTMLLIElement>} */
    this.items = new Map();
    /** @type {Version | null} */
    this.glimpsed = null;
    this.timer = 0;
    this.shown = "";
  }

  /**
   * @param {Version[]} versions oldest first
   * @param {string} current
   */
  show(versions, current) {
    const order = places(versions);
    const signature = order.map(({ version }) => version.id).join();
    if (signature !== this.shown) {
      this.shown = signature;
      this.list.replaceChildren(...order.map((place) => this.#item(place)));
    }
    for (const [id, item] of this.items) {
      const here = id === current;
      const button = item.querySelector("button");
      button?.setAttribute("aria-current", String(here));
      if (here) button?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** @param {Place} place */
  #item({ version, number, lane, branchOf }) {
    const name = versionName(version);
    const origin = branchOf === null ? "" : `, a branch from version ${branchOf}`;
    const button = make(
      "button",
      {
        class: "version",
        type: "button",
        title: `${number}. ${name}, ${timeAgo(version.created_at)}${origin}`,
        "data-version": version.id,
      },
      make("img", { src: version.thumb_url, alt: "", width: 84, height: 56, decoding: "async" }),
      make("span", { class: "version__name" }, make("span", { class: "version__number" }, `${number}`), ` ${name}`),
      origin ? make("span", { class: "visually-hidden" }, origin) : null,
    );
    button.addEventListener("click", () => {
      this.#rest(null);
      this.listeners.onChoose(version);
    });
    button.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "touch") this.#rest(version);
    });
    button.addEventListener("pointerleave", () => this.#rest(null));
    const mark = branchOf === null ? null : make("span", { class: "branch", "aria-hidden": "true" }, icon("branch"), `${branchOf}`);
    const item = make("li", { class: `stitch stitch--lane-${lane % LANES}` }, mark, button);
    if (branchOf !== null) item.classList.add("stitch--branch");
    this.items.set(version.id, item);
    return item;
  }

  /** @param {Version | null} version */
  #rest(version) {
    clearTimeout(this.timer);
    this.glimpsed = version;
    if (version) this.timer = window.setTimeout(() => this.listeners.onGlimpse(version), GLIMPSE_AFTER_MS);
    else this.listeners.onGlimpse(null);
  }
}
