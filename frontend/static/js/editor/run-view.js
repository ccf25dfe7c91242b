/** What the panel says about running jobs: headline, progress, time left, curves, and those that go on aside. */

import { byId, icon, make } from "../lib/dom.js";
import { timeLeft } from "../lib/format.js";
import { isFinal } from "../live/messages.js";
import { CurveView } from "./curve-view.js";
import { CurveLog, splitStage } from "./curves.js";

/** @typedef {import("../types.js").Job} Job */
/** @typedef {{sending: string, cancelling: boolean, finishing: boolean, connected: boolean, canLeave: boolean}} Mood */

/** @param {Job} job @returns {string} what it is doing now, without how many steps of it are done */
export function stageOf(job) {
  if (job.status === "held") return "Held until somebody lets it through";
  if (job.status === "queued") {
    const { position } = job;
    if (position === null || position <= 1) return "Next in line";
    return `Waiting, ${position - 1} ${position === 2 ? "job" : "jobs"} before yours`;
  }
  return splitStage(job.stage).part || "Starting";
}

/** @param {Job[]} jobs @returns {number} 0 to 1 over all of them */
export function fractionOf(jobs) {
  const parts = jobs.map((job) => (isFinal(job) ? 1 : job.status === "running" ? job.fraction : 0));
  return parts.length > 0 ? parts.reduce((sum, part) => sum + part, 0) / parts.length : 0;
}

/** @param {number} fraction @returns {string} the percent sign is kept on the number's line */
export function percent(fraction) {
  return `${Math.floor(fraction * 100)}\u00a0%`;
}

export class RunView {
  /** @param {(job: Job) => void} onCancel of a job that goes on aside */
  constructor(onCancel) {
    this.onCancel = onCancel;
    this.idle = byId("run-idle", HTMLElement);
    this.go = byId("run-go", HTMLElement);
    this.busy = byId("run-busy", HTMLElement);
    this.stage = byId("run-stage", HTMLElement);
    this.percent = byId("run-percent", HTMLElement);
    this.bar = byId("run-bar", HTMLElement);
    this.eta = byId("run-eta", HTMLElement);
    this.trials = byId("run-trials", HTMLElement);
    this.leave = byId("run-leave", HTMLButtonElement);
    this.error = byId("run-error", HTMLElement);
    this.errorText = byId("run-error-text", HTMLElement);
    this.aside = byId("run-aside", HTMLElement);
    this.asideList = byId("run-aside-list", HTMLElement);
    this.said = byId("run-status", HTMLElement);
    /** @type {Map<string, {row: HTMLElement, bar: HTMLElement, text: HTMLElement}>} */
    this.rows = new Map();
    this.curves = byId("run-curves", HTMLElement);
    this.curveView = new CurveView(byId("run-curve-list", HTMLElement));
    /** @type {Map<string, CurveLog>} by job; those that go on aside are followed too */
    this.curveLogs = new Map();
    this.announced = "";
  }

  /** @param {string | null} text */
  fail(text) {
    this.error.hidden = text === null;
    this.errorText.textContent = text ?? "";
  }

  /**
   * @param {Job[]} jobs that hold the editor
   * @param {Job[]} aside
   * @param {Mood} mood
   */
  show(jobs, aside, mood) {
    const busy = mood.sending !== "" || jobs.length > 0;
    this.idle.hidden = busy;
    this.go.hidden = busy;
    this.busy.hidden = !busy;
    this.leave.hidden = !mood.canLeave;
    this.#showAside(aside);
    this.#showCurves(jobs, aside);
    if (!busy) {
      this.announced = "";
      return;
    }
    const known = jobs.some((job) => job.status === "running" || isFinal(job)) && !mood.sending;
    const fraction = mood.finishing ? 1 : fractionOf(jobs);
    const headline = this.#headline(jobs, mood);
    this.stage.textContent = headline;
    this.percent.textContent = known ? percent(fraction) : "";
    this.bar.classList.toggle("sewing--unknown", !known && !mood.finishing);
    this.bar.style.setProperty("--sewn", String(fraction));
    if (known || mood.finishing) this.bar.setAttribute("aria-valuenow", String(Math.floor(fraction * 100)));
    else this.bar.removeAttribute("aria-valuenow");
    this.bar.setAttribute("aria-valuetext", headline);
    this.eta.textContent = this.#details(jobs, mood);
    this.#showTrials(jobs);
    this.#announce(headline, known ? fraction : null);
  }

  /**
   * @param {Job[]} jobs
   * @param {Mood} mood
   */
  #headline(jobs, { sending, finishing, cancelling }) {
    if (sending) return sending;
    const [job] = jobs;
    if (finishing) return job && job.kind !== "fill" ? "Taking over the selection" : "Fetching the result";
    if (cancelling) return "Stopping";
    if (jobs.length > 1) return `Trying ${jobs.length} models`;
    if (!job) return "Starting";
    return job.kind !== "fill" && job.status === "running" ? job.model_title : stageOf(job);
  }

  /**
   * @param {Job[]} jobs
   * @param {Mood} mood
   */
  #details(jobs, { connected, finishing }) {
    if (!connected) return "The live connection is down; asking the studio again and again.";
    if (jobs.length > 1) return `${jobs.filter(isFinal).length} of ${jobs.length} done`;
    const [job] = jobs;
    if (!job || job.status !== "running" || finishing) return "";
    const counted = job.steps_done !== null && job.steps_total ? `step ${job.steps_done} of ${job.steps_total}` : "";
    const steps = splitStage(job.stage).step || counted;
    const left = job.seconds_left === null || job.fraction >= 1 ? "" : timeLeft(job.seconds_left);
    const attempt = job.attempt > 1 ? `attempt ${job.attempt}` : "";
    return [steps, left, attempt].filter(Boolean).join(", ");
  }

  /**
   * Curves of the first that has any. Models that compute their result in one go have none.
   *
   * @param {Job[]} jobs
   * @param {Job[]} aside
   */
  #showCurves(jobs, aside) {
    const all = [...jobs, ...aside];
    for (const id of this.curveLogs.keys()) if (!all.some((job) => job.id === id)) this.curveLogs.delete(id);
    for (const job of all) {
      if (job.status !== "running" || !job.losses) continue;
      const log = this.curveLogs.get(job.id) ?? new CurveLog();
      log.add(splitStage(job.stage).part, job.losses);
      this.curveLogs.set(job.id, log);
    }
    const shown = jobs.find((job) => job.status === "running" && this.curveLogs.has(job.id));
    this.curves.hidden = !shown;
    if (shown) this.curveView.show(this.curveLogs.get(shown.id)?.points ?? []);
  }

  /** @param {Job[]} jobs of one “try all models” */
  #showTrials(jobs) {
    this.trials.hidden = jobs.length < 2;
    if (this.trials.hidden) return;
    const words = /** @type {Record<string, string>} */ ({ succeeded: "done", failed: "failed", cancelled: "stopped" });
    this.trials.replaceChildren(
      ...jobs.map((job) => {
        const state = words[job.status] ?? (job.status === "running" ? percent(job.fraction) : "waiting");
        return make("li", { class: `trial trial--${job.status}` }, make("span", {}, job.model_title), make("span", {}, state));
      }),
    );
  }

  /** @param {Job[]} jobs */
  #showAside(jobs) {
    this.aside.hidden = jobs.length === 0;
    for (const [id, { row }] of this.rows) {
      if (jobs.some((job) => job.id === id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    for (const job of jobs) {
      const { bar, text } = this.rows.get(job.id) ?? this.#row(job);
      const running = job.status === "running";
      bar.classList.toggle("sewing--unknown", !running);
      bar.style.setProperty("--sewn", String(job.fraction));
      text.textContent = running ? percent(job.fraction) : stageOf(job);
    }
  }

  /** @param {Job} job */
  #row(job) {
    const bar = make("div", { class: "sewing sewing--small" });
    const text = make("span", { class: "aside__state" });
    const stop = make("button", { class: "icon-button", type: "button", "aria-label": `Stop ${job.model_title}` }, icon("close"));
    stop.title = `Stop ${job.model_title}`;
    stop.addEventListener("click", () => this.onCancel(job));
    const row = make("li", { class: "aside" }, make("span", { class: "aside__name" }, job.model_title), text, stop, bar);
    this.asideList.append(row);
    const parts = { row, bar, text };
    this.rows.set(job.id, parts);
    return parts;
  }

  /**
   * Tell screen readers each new stage and each quarter, not every step.
   *
   * @param {string} headline
   * @param {number | null} fraction
   */
  #announce(headline, fraction) {
    const quarter = fraction === null ? "" : `, ${Math.floor(fraction * 4) * 25} percent`;
    const text = headline + quarter;
    if (text === this.announced) return;
    this.announced = text;
    this.said.textContent = text;
  }
}
