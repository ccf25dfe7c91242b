/** Sending the hole to be filled, and everything that is shown while that goes on. */

import { byId } from "../lib/dom.js";
import { timeLeft } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { JobWatch } from "../live/job-watch.js";
import { isFinal } from "../live/messages.js";
import { toast } from "../lib/toast.js";
import { fetchBitmap } from "./photo-store.js";

/** @typedef {import("../types.js").Job} Job */
/** @typedef {import("../types.js").Boot} Boot */
/** @typedef {import("../types.js").Preview} Preview */
/** @typedef {import("./stage.js").PreviewPicture} PreviewPicture */
/**
 * @typedef {object} RunListeners
 * @property {(job: Job) => void} onActive a job of this picture holds the editor now
 * @property {(preview: PreviewPicture) => void} onPreview
 * @property {(job: Job) => Promise<void>} onDone the result is there; resolves when it is on show
 * @property {() => void} onFree the editor is free again, without a result
 */

export class Run {
  /**
   * @param {Boot} boot
   * @param {RunListeners} listeners
   */
  constructor(boot, listeners) {
    this.api = boot.urls.api.replace(/\/$/, "");
    this.picture = boot.picture.id;
    this.listeners = listeners;
    /** @type {Job | null} */
    this.job = null;
    this.sending = false;
    this.cancelling = false;
    this.finishing = false;
    this.connected = true;
    /** @type {string | null} */
    this.previewShown = null;
    this.previewBusy = false;
    this.parts = {
      idle: byId("run-idle", HTMLElement),
      busy: byId("run-busy", HTMLElement),
      stage: byId("run-stage", HTMLElement),
      percent: byId("run-percent", HTMLElement),
      bar: byId("run-bar", HTMLElement),
      eta: byId("run-eta", HTMLElement),
      error: byId("run-error", HTMLElement),
      errorText: byId("run-error-text", HTMLElement),
    };
    this.watch = new JobWatch(boot.urls, {
      onChange: (job) => this.#changed(job),
      onUnknown: (job) => this.#adopt(job),
      onConnection: (up) => {
        this.connected = up;
        this.#show();
      },
      onGone: () => {
        this.#free();
        this.fail("This fill is not there any more.");
      },
      onError: (message) => toast(message, "error"),
    });
    const active = boot.picture.jobs.find((job) => !isFinal(job));
    if (active) this.#take(active);
  }

  get busy() {
    return this.sending || this.job !== null;
  }

  get canCancel() {
    return this.job !== null && !this.cancelling && !this.finishing;
  }

  /**
   * @param {string} version
   * @param {() => Promise<Blob>} mask
   * @param {string} model
   * @param {Record<string, any>} params
   */
  async submit(version, mask, model, params) {
    if (this.busy) return;
    this.sending = true;
    this.fail(null);
    this.#show();
    try {
      const form = new FormData();
      form.set("mask", await mask(), "mask.png");
      form.set("model", model);
      form.set("params", JSON.stringify(params));
      const job = /** @type {Job} */ (await call(`${this.api}/versions/${version}/fill`, { method: "POST", body: form }));
      this.sending = false;
      this.#take(job);
    } catch (error) {
      this.sending = false;
      this.#free();
      this.fail(sentence(error));
    }
  }

  async cancel() {
    if (!this.job || !this.canCancel) return;
    this.cancelling = true;
    this.#show();
    try {
      this.watch.learn(await call(`${this.api}/jobs/${this.job.id}/cancel`, { method: "POST" }));
    } catch (error) {
      this.cancelling = false;
      toast(sentence(error), "error");
      this.#show();
    }
  }

  /** @param {string | null} text */
  fail(text) {
    this.parts.error.hidden = text === null;
    this.parts.errorText.textContent = text ?? "";
  }

  /**
   * A job of this picture that another tab or device began.
   *
   * @param {Job} job
   */
  #adopt(job) {
    if (job.picture === this.picture && !this.busy && !isFinal(job)) this.#take(job);
  }

  /** @param {Job} job */
  #take(job) {
    this.job = job;
    this.cancelling = false;
    this.previewShown = null;
    this.listeners.onActive(job);
    if (isFinal(job)) {
      this.#changed(job);
      return;
    }
    this.watch.follow(job);
    this.#show();
  }

  /** @param {Job} job */
  #changed(job) {
    if (!this.job || job.id !== this.job.id) return;
    this.job = job;
    if (job.preview && job.status === "running") void this.#loadPreview(job.preview);
    if (job.status === "succeeded") void this.#finish(job);
    else if (job.status === "failed") {
      this.#free();
      this.fail(job.error || "The fill failed. Your mask is still here; try again or choose another model.");
    } else if (job.status === "cancelled") {
      this.#free();
      toast("Stopped. Your mask is still here.");
    } else this.#show();
  }

  /** @param {Job} job */
  async #finish(job) {
    if (this.finishing) return;
    this.finishing = true;
    this.#show();
    try {
      await this.listeners.onDone(job);
    } catch (error) {
      this.fail(`The fill is done, but it could not be shown. ${sentence(error)}`);
    } finally {
      this.finishing = false;
      this.#free();
    }
  }

  #free() {
    this.job = null;
    this.cancelling = false;
    this.previewShown = null;
    this.#show();
    this.listeners.onFree();
  }

  /**
   * Only one preview is on its way at a time; what came in between is skipped.
   *
   * @param {Preview} preview
   */
  async #loadPreview(preview) {
    if (this.previewBusy || preview.url === this.previewShown) return;
    this.previewBusy = true;
    const { job } = this;
    try {
      const bitmap = await fetchBitmap(preview.url);
      if (this.job && job && this.job.id === job.id && !this.finishing) {
        this.previewShown = preview.url;
        this.listeners.onPreview({ bitmap, box: preview.box });
      } else {
        bitmap.close();
      }
    } catch {
      // Previews live for a short while only; a missed one is replaced by the next.
      this.previewShown = preview.url;
    } finally {
      this.previewBusy = false;
    }
    const next = this.job?.preview;
    if (next && next.url !== preview.url) void this.#loadPreview(next);
  }

  #show() {
    const { parts, job } = this;
    parts.idle.hidden = this.busy;
    parts.busy.hidden = !this.busy;
    if (!this.busy) return;
    const known = job?.status === "running";
    const fraction = this.finishing ? 1 : known ? job.fraction : 0;
    parts.stage.textContent = this.#headline();
    parts.percent.textContent = known ? `${Math.floor(fraction * 100)} %` : "";
    parts.bar.classList.toggle("sewing--unknown", !known && !this.finishing);
    parts.bar.style.setProperty("--sewn", String(fraction));
    if (known || this.finishing) parts.bar.setAttribute("aria-valuenow", String(Math.floor(fraction * 100)));
    else parts.bar.removeAttribute("aria-valuenow");
    parts.bar.setAttribute("aria-valuetext", parts.stage.textContent ?? "");
    parts.eta.textContent = this.#details();
  }

  #headline() {
    const { job } = this;
    if (!job) return "Sending the mask";
    if (this.finishing) return "Fetching the result";
    if (this.cancelling) return "Stopping";
    if (job.status === "held") return "Held by the operator";
    if (job.status === "queued") {
      const { position } = job;
      if (position === null || position <= 1) return "Next in line";
      return `Waiting, ${position - 1} ${position === 2 ? "fill" : "fills"} before yours`;
    }
    return job.stage || "Starting";
  }

  #details() {
    if (!this.connected) return "The live connection is down; asking the studio again and again.";
    const { job } = this;
    if (!job || job.status !== "running" || this.finishing) return "";
    const steps = job.steps_done !== null && job.steps_total ? `step ${job.steps_done} of ${job.steps_total}` : "";
    const left = job.seconds_left === null || job.fraction >= 1 ? "" : timeLeft(job.seconds_left);
    const attempt = job.attempt > 1 ? `attempt ${job.attempt}` : "";
    return [left, steps, attempt].filter(Boolean).join(", ");
  }
}
