/**
 * The jobs of this picture. Some hold the editor: the fill whose mask is on the stage, a selection, or all jobs of one
 * “try all models”. The others go on aside, while the person paints on. What is running is what the server says.
 */

import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { JobWatch } from "../live/job-watch.js";
import { isFinal } from "../live/messages.js";
import { fetchBitmap } from "./photo-store.js";
import { RunView } from "./run-view.js";

/** @typedef {import("../types.js").Job} Job */
/** @typedef {import("../types.js").Boot} Boot */
/** @typedef {import("../types.js").Batch} Batch */
/** @typedef {import("../types.js").Preview} Preview */
/** @typedef {import("./stage.js").PreviewPicture} PreviewPicture */
/**
 * @typedef {object} RunListeners
 * @property {(job: Job) => void} onActive a job of this picture holds the editor now
 * @property {(preview: PreviewPicture) => void} onPreview
 * @property {(job: Job) => Promise<void>} onDone the result is there; resolves when it is on show
 * @property {(jobs: Job[]) => Promise<void>} onTried all models have been tried; at least one has a result
 * @property {(job: Job) => Promise<void>} onAside a fill that went on aside has its result
 * @property {() => void} onFree the editor is free again
 * @property {(connected: boolean) => void} onConnection
 * @property {(job: Job) => boolean} wants whether a job begun elsewhere shall hold the editor
 */

const ASIDE = "reweave:aside";

export class Run {
  /**
   * @param {Boot} boot
   * @param {RunListeners} listeners
   */
  constructor(boot, listeners) {
    this.api = boot.urls.api.replace(/\/$/, "");
    this.picture = boot.picture.id;
    this.listeners = listeners;
    /** Every job that is not over, or that waits for the others of its batch. @type {Map<string, Job>} */
    this.jobs = new Map();
    /** Those that hold the editor. @type {Set<string>} */
    this.held = new Set();
    /** @type {string | null} */
    this.batch = null;
    this.sending = "";
    this.cancelling = false;
    this.finishing = false;
    this.connected = true;
    /** @type {string | null} */
    this.previewShown = null;
    this.previewBusy = false;
    this.view = new RunView((job) => void this.#cancelJob(job));
    this.watch = new JobWatch(boot.urls, {
      onChange: (job) => this.#changed(job),
      onUnknown: (job) => this.#adopt(job),
      onConnection: (up) => {
        this.connected = up;
        listeners.onConnection(up);
        this.#show();
      },
      onGone: (id) => this.#gone(id),
      onError: (message) => toast(message, "error"),
    });
    this.#resume(boot);
  }

  get busy() {
    return this.sending !== "" || this.held.size > 0;
  }

  get canCancel() {
    return this.held.size > 0 && !this.cancelling && !this.finishing;
  }

  /** Whether the person may leave the running jobs alone and paint on. */
  get canLeave() {
    return this.canCancel && this.#holding().every((job) => job.kind === "fill");
  }

  /**
   * Send a mask or a hint and hold the editor until it is done.
   *
   * @param {string} path below the API, such as “versions/…/fill”
   * @param {() => Promise<FormData>} form
   * @param {string} headline shown while it is on its way
   */
  async submit(path, form, headline) {
    if (this.busy) return;
    this.sending = headline;
    this.fail(null);
    this.#show();
    try {
      const answer = await call(`${this.api}/${path}`, { method: "POST", body: await form() });
      this.sending = "";
      if ("jobs" in answer) this.#hold(/** @type {Batch} */ (answer).jobs, answer.batch);
      else this.#hold([/** @type {Job} */ (answer)], null);
    } catch (error) {
      this.sending = "";
      this.#free();
      this.fail(sentence(error));
    }
  }

  async cancel() {
    if (!this.canCancel) return;
    this.cancelling = true;
    this.#show();
    try {
      if (this.batch) {
        const { jobs } = await call(`${this.api}/batches/${this.batch}/cancel`, { method: "POST" });
        for (const job of jobs) this.watch.learn(job);
      } else {
        for (const id of this.held) this.watch.learn(await call(`${this.api}/jobs/${id}/cancel`, { method: "POST" }));
      }
    } catch (error) {
      this.cancelling = false;
      toast(sentence(error), "error");
      this.#show();
    }
  }

  /** Let the running fills go on aside. */
  leave() {
    if (!this.canLeave) return;
    remember([...this.jobs.keys()]);
    this.#free();
  }

  /** @param {string | null} text */
  fail(text) {
    this.view.fail(text);
  }

  /** @param {Boot} boot */
  #resume({ picture }) {
    const active = picture.jobs.filter((job) => !isFinal(job));
    const aside = remember();
    const front = active.find((job) => !aside.includes(job.id));
    const batch = front && picture.batches?.find((entry) => entry.jobs.includes(front.id));
    const mine = batch ? active.filter((job) => batch.jobs.includes(job.id)) : front ? [front] : [];
    for (const job of active) if (!mine.includes(job)) this.#follow(job);
    // The listeners belong to an editor that is still being made.
    if (mine.length > 0) queueMicrotask(() => this.#hold(mine, batch?.id ?? null));
    else this.#show();
  }

  /** @param {Job} job */
  #follow(job) {
    this.jobs.set(job.id, job);
    this.watch.follow(job);
  }

  /**
   * @param {Job[]} jobs
   * @param {string | null} batch
   */
  #hold(jobs, batch) {
    this.batch = batch;
    this.cancelling = false;
    this.previewShown = null;
    for (const job of jobs) {
      this.held.add(job.id);
      this.#follow(job);
    }
    if (jobs[0]) this.listeners.onActive(jobs[0]);
    for (const job of jobs) if (isFinal(job)) this.#changed(job);
    this.#show();
  }

  /** @returns {Job[]} */
  #holding() {
    return [...this.held].map((id) => this.jobs.get(id)).filter((job) => job !== undefined);
  }

  /**
   * A job of this picture that another tab or device began.
   *
   * @param {Job} job
   */
  #adopt(job) {
    if (job.picture !== this.picture || this.sending || isFinal(job) || this.jobs.has(job.id)) return;
    if (!this.busy && this.listeners.wants(job)) this.#hold([job], null);
    else {
      this.#follow(job);
      this.#show();
    }
  }

  /** @param {Job} job */
  #changed(job) {
    if (!this.jobs.has(job.id)) return;
    this.jobs.set(job.id, job);
    if (!this.held.has(job.id)) {
      if (isFinal(job)) this.#asideIsOver(job);
    } else if (isFinal(job)) {
      if (this.batch) this.#batchChanged();
      else void this.#over(job);
    } else if (job.preview && job.status === "running") void this.#loadPreview(job.id, job.preview);
    this.#show();
  }

  /** @param {Job} job */
  #asideIsOver(job) {
    this.jobs.delete(job.id);
    if (job.status === "succeeded" && job.kind === "fill") {
      this.listeners.onAside(job).catch((error) => toast(sentence(error), "error"));
    } else if (job.status === "failed") toast(job.error || `${job.model_title} failed.`, "error");
    else if (job.error) toast(job.error, "error"); // a reviewer said no, and why
  }

  /** @param {Job} job */
  async #over(job) {
    if (job.status === "succeeded") {
      await this.#finish(() => this.listeners.onDone(job));
      return;
    }
    this.#free();
    if (job.status === "failed") {
      this.fail(job.error || "The fill failed. Your mask is still here; try again or choose another model.");
    } else if (job.error) this.fail(job.error); // a reviewer said no, and why
    else toast("Stopped. Your mask is still here.");
  }

  #batchChanged() {
    const jobs = this.#holding();
    if (!jobs.every(isFinal)) return;
    const done = jobs.filter((job) => job.status === "succeeded");
    if (done.length > 0) {
      void this.#finish(() => this.listeners.onTried(jobs));
      return;
    }
    this.#free();
    if (jobs.some((job) => job.status === "failed")) this.fail("No model could fill this hole. Your mask is still here.");
    else toast("Stopped. Your mask is still here.");
  }

  /** @param {() => Promise<void>} show */
  async #finish(show) {
    if (this.finishing) return;
    this.finishing = true;
    this.#show();
    try {
      await show();
    } catch (error) {
      this.fail(`It is done, but it could not be shown. ${sentence(error)}`);
    } finally {
      this.finishing = false;
      this.#free();
    }
  }

  /** @param {string} id */
  #gone(id) {
    this.jobs.delete(id);
    if (!this.held.delete(id) || this.held.size > 0) return;
    this.#free();
    this.fail("This fill is not there any more.");
  }

  #free() {
    for (const id of this.held) {
      const job = this.jobs.get(id);
      if (!job || isFinal(job)) this.jobs.delete(id);
    }
    this.held.clear();
    this.batch = null;
    this.cancelling = false;
    this.previewShown = null;
    this.#show();
    this.listeners.onFree();
  }

  /** @param {Job} job */
  async #cancelJob(job) {
    try {
      this.watch.learn(await call(`${this.api}/jobs/${job.id}/cancel`, { method: "POST" }));
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  /**
   * Only one preview is on its way at a time; what came in between is skipped.
   *
   * @param {string} id
   * @param {Preview} preview
   */
  async #loadPreview(id, preview) {
    if (this.previewBusy || preview.url === this.previewShown) return;
    this.previewBusy = true;
    try {
      const bitmap = await fetchBitmap(preview.url);
      if (this.held.has(id) && !this.finishing) {
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
    const next = this.held.has(id) ? this.jobs.get(id)?.preview : null;
    if (next && next.url !== preview.url) void this.#loadPreview(id, next);
  }

  #show() {
    const { sending, cancelling, finishing, connected } = this;
    const aside = [...this.jobs.values()].filter((job) => !this.held.has(job.id));
    this.view.show(this.#holding(), aside, { sending, cancelling, finishing, connected, canLeave: this.canLeave });
  }
}

/**
 * Which jobs were left to go on aside in this tab, so that a reload does not lock the editor with them.
 *
 * @param {string[]} [ids] to keep; without them, what was kept
 * @returns {string[]}
 */
function remember(ids) {
  try {
    if (ids) sessionStorage.setItem(ASIDE, JSON.stringify(ids));
    const kept = JSON.parse(sessionStorage.getItem(ASIDE) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    // Storage may be switched off; a reload then shows the first running fill again.
    return [];
  }
}
