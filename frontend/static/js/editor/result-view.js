/** What is known about the version on show: the proof, how it was made, and where to download it. */

import { byId, icon, make } from "../lib/dom.js";
import { dimensions, duration, fileSize, groupDigits } from "../lib/format.js";
import { CurveView } from "./curve-view.js";
import { CurveLog } from "./curves.js";
import { versionName } from "./history-strip.js";

/** @typedef {import("../types.js").Version} Version */

/**
 * @param {import("../types.js").Proof} proof
 * @returns {{text: string, whole: boolean} | null}
 */
export function proofSentence({ known_pixels: known, changed_pixels: changed }) {
  if (known === undefined || changed === undefined) return null;
  if (changed === 0) return { text: `All ${groupDigits(known)} pixels outside the mask are unchanged.`, whole: true };
  return { text: `${groupDigits(changed)} of ${groupDigits(known)} pixels outside the mask differ.`, whole: false };
}

/**
 * @param {string} url
 * @param {string} form
 */
export function downloadUrl(url, form) {
  return `${url}${url.includes("?") ? "&" : "?"}as=${form}`;
}

/**
 * How long it was worked on; waiting for others is not this fill's own.
 *
 * @param {Version} version
 * @returns {number}
 */
export function workedSeconds({ timings }) {
  const { queue_wait: _waited, dispatch: _sent, ...worked } = timings;
  return Object.values(worked).reduce((sum, value) => sum + value, 0);
}

export class ResultView {
  /** @param {import("../types.js").Model[]} models */
  constructor(models) {
    this.models = models;
    this.box = byId("result", HTMLElement);
    this.proof = byId("proof", HTMLElement);
    this.facts = byId("facts", HTMLElement);
    this.downloads = byId("downloads", HTMLElement);
    this.curves = byId("result-curves", HTMLElement);
    this.curveView = new CurveView(byId("result-curve-list", HTMLElement));
  }

  hide() {
    this.box.hidden = true;
  }

  /** @param {Version} version */
  show(version) {
    this.#offerDownloads(version);
    this.box.hidden = version.parent === null;
    const sentence = proofSentence(version.proof);
    this.proof.hidden = sentence === null;
    if (sentence) {
      this.proof.classList.toggle("is-broken", !sentence.whole);
      this.proof.replaceChildren(icon(sentence.whole ? "shield" : "warning"), make("span", {}, sentence.text));
    }
    const { curves } = version.notes;
    this.curves.hidden = !curves;
    this.curveView.show(curves ? CurveLog.ofNote(curves) : []);
    const seconds = workedSeconds(version);
    const rows = /** @type {[string, string][]} */ ([
      ["Model", versionName(version)],
      ...this.#settings(version),
      ["Time", seconds > 0 ? duration(seconds) : ""],
      ["Size", dimensions(version.width, version.height)],
    ]);
    this.facts.replaceChildren(
      ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
    );
  }

  /**
   * @param {Version} version
   * @returns {[string, string][]} settings by the labels they have in the panel
   */
  #settings({ model, params }) {
    const known = this.models.find((entry) => entry.key === model)?.params ?? [];
    return Object.entries(params).map(([name, value]) => {
      const shown = typeof value === "boolean" ? (value ? "on" : "off") : String(value);
      return [known.find((param) => param.name === name)?.label ?? name, shown];
    });
  }

  /** @param {Version} version */
  #offerDownloads(version) {
    const original = version.original_format;
    const links = [make("a", { href: downloadUrl(version.download_url, "png"), download: true }, icon("download"), "PNG, lossless")];
    if (original && original !== "PNG") {
      const label = version.parent === null ? `${original}, as uploaded` : `${original}, like the upload`;
      links.push(make("a", { href: downloadUrl(version.download_url, "original"), download: true }, icon("download"), label));
    }
    const about = `${dimensions(version.width, version.height)}, ${fileSize(version.bytes)}`;
    this.downloads.replaceChildren(make("p", { class: "menu__who" }, about), ...links);
  }
}
