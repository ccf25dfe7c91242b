/** The socket's messages by name, as `webapp/jobs/events.py` defines them, and how progress changes a job. */

/** @typedef {import("../types.js").Job} Job */
/** @typedef {import("../types.js").Preview} Preview */
/** @typedef {import("../types.js").Notice} Notice */
/**
 * @typedef {{type: "job.state", job: Job}} JobState
 * @typedef {{type: "job.progress", job: string, attempt: number, seq: number, stage: string, fraction: number,
 *   steps_done: number | null, steps_total: number | null, seconds_left: number | null,
 *   losses: Record<string, number> | null, preview: Preview | null}} JobProgress
 * @typedef {{type: "error", code: string, message: string, job: string | null}} SocketError
 * @typedef {{type: "notification", unread: number, notification: Notice | null}} Notified
 * @typedef {{type: "pong"}} Pong
 * @typedef {JobState | JobProgress | Notified | SocketError | Pong} ServerMessage
 */

export const WATCH = "watch";
export const UNWATCH = "unwatch";
export const PING = "ping";
export const JOB_STATE = "job.state";
export const JOB_PROGRESS = "job.progress";
export const NOTIFICATION = "notification";
export const ERROR = "error";
export const PONG = "pong";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);

/** @param {string} job */
export const watch = (job) => ({ type: WATCH, job });
/** @param {string} job */
export const unwatch = (job) => ({ type: UNWATCH, job });
export const ping = () => ({ type: PING });

/**
 * @param {Job} job
 * @returns {boolean} whether nothing will change about it any more
 */
export function isFinal(job) {
  return FINAL.has(job.status);
}

/**
 * Read one message. Unknown types and broken text give null: a newer server may say more than this page knows.
 *
 * @param {string} text
 * @returns {ServerMessage | null}
 */
export function parseMessage(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  if (value.type === JOB_STATE) return typeof value.job?.id === "string" ? value : null;
  if (value.type === JOB_PROGRESS) return typeof value.job === "string" && Number.isFinite(value.seq) ? value : null;
  if (value.type === NOTIFICATION) return Number.isInteger(value.unread) ? value : null;
  if (value.type === ERROR) return typeof value.message === "string" ? value : null;
  return value.type === PONG ? value : null;
}

/**
 * One job as it is known here, with messages applied in the order they were sent, not in which they came.
 */
export class JobView {
  /** @param {Job} job */
  constructor(job) {
    this.job = job;
    this.seq = -1;
  }

  /**
   * A full state replaces what was known, unless it is from before: final states stay, attempts only grow.
   *
   * @param {Job} job
   * @returns {boolean} whether anything was taken over
   */
  applyState(job) {
    if (isFinal(this.job) || job.attempt < this.job.attempt) return false;
    if (job.attempt > this.job.attempt) this.seq = -1;
    const before = this.job;
    this.job = job;
    const samePass = job.status === "running" && before.status === "running" && job.attempt === before.attempt;
    // Only the socket tells losses; the API's answer to a question in between does not mean that there are none.
    if (samePass) this.job = { ...job, losses: before.losses ?? null };
    if (samePass && job.fraction < before.fraction) {
      // The database is written less often than progress is sent: keep the newer figures.
      this.job = {
        ...this.job,
        stage: before.stage,
        fraction: before.fraction,
        steps_done: before.steps_done,
        steps_total: before.steps_total,
        seconds_left: before.seconds_left,
        preview: before.preview ?? job.preview,
      };
    }
    return true;
  }

  /**
   * @param {JobProgress} message
   * @returns {boolean} whether it was news
   */
  applyProgress(message) {
    const { job } = this;
    if (isFinal(job) || message.attempt < job.attempt) return false;
    if (message.attempt > job.attempt) this.seq = -1;
    if (message.seq <= this.seq) return false;
    this.seq = message.seq;
    this.job = /** @type {Job} */ ({
      ...job,
      status: "running",
      position: null,
      attempt: message.attempt,
      stage: message.stage,
      fraction: message.fraction,
      steps_done: message.steps_done,
      steps_total: message.steps_total,
      seconds_left: message.seconds_left,
      losses: message.losses ?? null,
      preview: message.preview ?? (message.attempt === job.attempt ? job.preview : null),
    });
    return true;
  }
}
