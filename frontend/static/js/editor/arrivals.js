/** Results that come from the studio: shown in place, offered for comparison, or announced. */

import { call } from "../lib/http.js";
import { toast } from "../lib/toast.js";

/** @typedef {import("../types.js").Job} Job */
/** @typedef {import("../types.js").Picture} Picture */
/** @typedef {import("../types.js").Version} Version */

export class Arrivals {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  /**
   * The result of the fill that held the editor becomes the picture.
   *
   * @param {Job} job
   */
  async result(job) {
    const { editor } = this;
    await this.#refresh();
    const version = this.#versionOf(job);
    if (!version) throw new Error("The result is missing from the picture's versions.");
    const before = editor.stage.photo;
    const { pixels, extent } = editor.mask.measure();
    const middle = pixels > 0 ? (extent.left + extent.right) / 2 / editor.mask.width : 0.5;
    // The new picture is ready before anything changes on the stage, so nothing flickers.
    const bitmap = await editor.photos.load(version);
    const cleaned = editor.session.finish(version.id);
    editor.nowOn(version);
    editor.forward = [];
    editor.stage.photo = bitmap;
    editor.stage.setPreview(null);
    editor.stage.setWeaving(false);
    editor.strip.show(editor.picture.versions, version.id);
    editor.showResult();
    if (before) editor.compare.show(before, middle);
    editor.say("The hole is filled.");
    editor.changed();
    await cleaned;
  }

  /**
   * All models have been tried: look at the results side by side.
   *
   * @param {Job[]} jobs
   */
  async trials(jobs) {
    const { editor } = this;
    await this.#refresh();
    const results = jobs.map((job) => this.#versionOf(job)).filter((version) => version !== undefined);
    for (const job of jobs.filter(({ status }) => status === "failed")) toast(`${job.model_title}: ${job.error}`, "error");
    editor.trials.open(results, editor.mask.measure().extent);
    editor.say(`${results.length} results are there to compare.`);
  }

  /**
   * A fill that went on aside is done.
   *
   * @param {Job} job
   */
  async aside(job) {
    await this.#refresh();
    const version = this.#versionOf(job);
    if (version) toast(`${job.model_title} is done.`, "success", { label: "Show", run: () => void this.editor.go(version) });
  }

  /** Results made by one “try all models”, the version on show among them. @returns {Version[]} */
  get siblings() {
    const { picture, current } = this.editor;
    const batch = (picture.batches ?? []).findLast(({ results }) => results.includes(current.id));
    return picture.versions.filter((version) => batch?.results.includes(version.id));
  }

  /** @param {Job} job @returns {Version | undefined} */
  #versionOf(job) {
    return this.editor.picture.versions.find((version) => version.id === job.result);
  }

  async #refresh() {
    const { editor } = this;
    const fresh = /** @type {Picture} */ (await call(`${editor.api}/pictures/${editor.picture.id}`));
    editor.picture.versions = fresh.versions;
    editor.picture.batches = fresh.batches;
    editor.strip.show(fresh.versions, editor.current.id);
    editor.changed();
  }
}
