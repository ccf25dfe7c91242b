/** All versions of the picture as a tree: a line down from each version, a branch where somebody began anew. */

import { places } from "../editor/version-tree.js";
import { reviewBadge } from "../gallery/cards.js";
import { byId, make } from "../lib/dom.js";
import { duration, timeAgo } from "../lib/format.js";
import { nameOf, secondsOf } from "./facts.js";

/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("../types.js").Reviews} Reviews */

const LANES = 4;

export class Tree {
  /** @param {(version: Version) => void} onChoose */
  constructor(onChoose) {
    this.list = byId("tree", HTMLElement);
    this.onChoose = onChoose;
  }

  /**
   * @param {Version[]} versions oldest first
   * @param {string} current
   * @param {Reviews} reviews
   */
  show(versions, current, reviews) {
    this.list.replaceChildren(
      ...places(versions).map(({ version, number, lane, branchOf }) => {
        const verdict = reviews.verdicts.find((each) => each.version === version.id);
        const score = reviews.scores.find((each) => each.version === version.id);
        const seconds = secondsOf(version);
        const facts = [
          timeAgo(version.created_at),
          seconds === null ? null : duration(seconds),
          score ? `${score.wins}/${score.votes} votes` : null,
        ].filter((fact) => fact !== null);
        const button = make(
          "button",
          { class: "tree__version", type: "button", "aria-current": String(version.id === current) },
          make("img", { src: version.thumb_url, alt: "", loading: "lazy", decoding: "async", width: 72, height: 51 }),
          make("span", { class: "tree__name" }, `${number}. ${nameOf(version)}`, verdict ? reviewBadge(verdict.state) : null),
          make(
            "span",
            { class: "tree__facts" },
            facts.join(" · "),
            branchOf === null ? null : make("span", { class: "tree__branch" }, ` · from ${branchOf}`),
          ),
        );
        button.addEventListener("click", () => this.onChoose(version));
        const depth = Math.min(lane, LANES);
        return make("li", { class: depth > 0 ? `lane-${depth}` : null, id: `version-${version.id}` }, button);
      }),
    );
  }

  /** @param {string} current */
  mark(current) {
    for (const item of this.list.children) {
      item.querySelector("button")?.setAttribute("aria-current", String(item.id === `version-${current}`));
    }
  }
}
