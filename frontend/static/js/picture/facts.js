/** What is known about the version on show. */

import { icon, make } from "../lib/dom.js";
import { dimensions, duration, fileSize, groupDigits } from "../lib/format.js";

/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("../types.js").Reviews} Reviews */

/**
 * @param {Version} version
 * @returns {string}
 */
export function nameOf(version) {
  return version.model ? version.model_title || version.model : "Original";
}

/**
 * @param {Version} version
 * @returns {number | null} seconds that making it took
 */
export function secondsOf(version) {
  const stages = Object.values(version.timings).filter((value) => typeof value === "number");
  return stages.length > 0 ? stages.reduce((sum, value) => sum + value, 0) : null;
}

/**
 * @param {Version} version
 * @param {Reviews} reviews
 * @returns {HTMLElement[]} `dt` and `dd` in turn
 */
export function factsOf(version, reviews) {
  /** @type {[string, string | Node][]} */
  const rows = [["Made", new Date(version.created_at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })]];
  rows.push(["Size", `${dimensions(version.width, version.height)}, ${fileSize(version.bytes)}`]);
  if (version.model) {
    const params = Object.entries(version.params).map(([name, value]) => `${name} ${value}`).join(", ");
    rows.push(["Parameters", params || "none"]);
    if (version.seed !== null) rows.push(["Seed", String(version.seed)]);
    const seconds = secondsOf(version);
    if (seconds !== null) rows.push(["Time", duration(seconds)]);
    const { known_pixels: known, changed_pixels: changed } = version.proof;
    if (known !== undefined) {
      const total = version.width * version.height;
      rows.push(["Mask", `${(((total - known) / total) * 100).toFixed(1)} % of the photo`]);
      rows.push(["Proof", proof(known, changed ?? 0)]);
    }
    for (const [name, value] of Object.entries(version.notes)) {
      if (typeof value === "number" || typeof value === "string") {
        rows.push([name.replaceAll("_", " "), typeof value === "number" ? String(Number(value.toPrecision(4))) : value]);
      }
    }
    const score = reviews.scores.find((each) => each.version === version.id);
    if (score) rows.push(["Blind votes", `chosen ${score.wins} of ${score.votes} times`]);
  } else {
    rows.push(["Format", version.original_format]);
  }
  return rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

/**
 * @param {number} known
 * @param {number} changed
 */
function proof(known, changed) {
  if (changed > 0) return `${groupDigits(changed)} of ${groupDigits(known)} known pixels changed`;
  return make("span", { class: "facts__proof" }, icon("shield"), `all ${groupDigits(known)} known pixels unchanged`);
}
