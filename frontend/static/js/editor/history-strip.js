/** Every version of the picture as a small picture; a click goes there, nothing is ever deleted by it. */

import { byId, make } from "../lib/dom.js";
import { timeAgo } from "../lib/format.js";

/** @typedef {import("../types.js").Version} Version */

/** @param {Version} version */
export function versionName(version) {
  return version.model ? version.model_title || version.model : "Original";
}

export class HistoryStrip {
  /** @param {(version: Version) => void} onChoose */
  constructor(onChoose) {
    this.list = byId("history", HTMLElement);
    this.onChoose = onChoose;
    /** @type {Map<string, HTMLButtonElement>} */
    this.buttons = new Map();
  }

  /**
   * @param {Version[]} versions oldest first
   * @param {string} current
   */
  show(versions, current) {
    for (const version of versions) {
      if (this.buttons.has(version.id)) continue;
      const button = this.#button(version);
      this.buttons.set(version.id, button);
      this.list.append(make("li", {}, button));
    }
    for (const [id, button] of this.buttons) {
      const here = id === current;
      button.setAttribute("aria-current", String(here));
      if (here) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** @param {Version} version */
  #button(version) {
    const name = versionName(version);
    const button = make(
      "button",
      { class: "version", type: "button", title: `${name}, ${timeAgo(version.created_at)}`, "data-version": version.id },
      make("img", { src: version.thumb_url, alt: "", width: 84, height: 56, decoding: "async" }),
      make("span", { class: "version__name" }, name),
    );
    button.addEventListener("click", () => this.onChoose(version));
    return button;
  }
}
