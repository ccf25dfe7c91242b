/**
 * Follow jobs until they end: by the socket, and by asking the API whenever the socket is silent.
 *
 * The server's state is the truth. The socket only makes it faster, so losing it can delay news but never hide it.
 */

import { ApiError, call } from "../lib/http.js";
import { isFinal, JobView, NOTIFICATION } from "./messages.js";
import { LiveSocket, NEWS, SOCKET_UP } from "./socket.js";

/** @typedef {import("../types.js").Job} Job */

const POLL_WITHOUT_SOCKET_MS = 1200;
const POLL_WHEN_SILENT_MS = 5000;
const TICK_MS = 600;

export class JobWatch {
  /**
   * @param {{api: string, socket: string}} urls
   * @param {{
   *   onChange: (job: Job) => void,
   *   onUnknown?: (job: Job) => void,
   *   onConnection?: (up: boolean) => void,
   *   onGone?: (id: string) => void,
   *   onError?: (message: string) => void,
   * }} listeners `onUnknown` gets jobs of this user that nobody here follows; `onGone` those that exist no more
   */
  constructor(urls, listeners) {
    this.api = urls.api.replace(/\/$/, "");
    this.listeners = listeners;
    /** @type {Map<string, {view: JobView, heard: number, asking: boolean}>} */
    this.followed = new Map();
    this.socket = new LiveSocket(urls.socket, {
      onMessage: (message) => this.#hear(message),
      onUp: () => {
        // A lost message does not come again: ask once for the full state of everything after each connect.
        for (const [id] of this.followed) void this.#ask(id);
        listeners.onConnection?.(true);
        document.dispatchEvent(new CustomEvent(SOCKET_UP));
      },
      onDown: () => listeners.onConnection?.(false),
    });
    window.addEventListener("online", () => this.socket.hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.socket.hurry();
    });
    setInterval(() => this.#tick(), TICK_MS);
    this.socket.start();
  }

  /** @param {Job} job */
  follow(job) {
    if (isFinal(job) || this.followed.has(job.id)) return;
    this.followed.set(job.id, { view: new JobView(job), heard: Date.now(), asking: false });
    this.socket.watch(job.id);
  }

  /**
   * Take over a state that came as an answer of the API.
   *
   * @param {Job} job
   */
  learn(job) {
    const entry = this.followed.get(job.id);
    if (!entry) return;
    entry.heard = Date.now();
    if (entry.view.applyState(job)) this.#changed(job.id, entry.view);
  }

  /** @param {import("./messages.js").ServerMessage} message */
  #hear(message) {
    if (message.type === "job.state") {
      if (this.followed.has(message.job.id)) this.learn(message.job);
      else this.listeners.onUnknown?.(message.job);
    } else if (message.type === "job.progress") {
      const entry = this.followed.get(message.job);
      if (!entry) return;
      entry.heard = Date.now();
      if (entry.view.applyProgress(message)) this.#changed(message.job, entry.view);
    } else if (message.type === NOTIFICATION) {
      document.dispatchEvent(new CustomEvent(NEWS, { detail: message }));
    } else if (message.type === "error") {
      if (message.job && this.followed.has(message.job)) void this.#ask(message.job);
      else this.listeners.onError?.(message.message);
    }
  }

  /**
   * @param {string} id
   * @param {JobView} view
   */
  #changed(id, view) {
    if (isFinal(view.job)) {
      this.followed.delete(id);
      this.socket.unwatch(id);
    }
    this.listeners.onChange(view.job);
  }

  #tick() {
    const patience = this.socket.up ? POLL_WHEN_SILENT_MS : POLL_WITHOUT_SOCKET_MS;
    for (const [id, entry] of this.followed) {
      if (Date.now() - entry.heard >= patience) void this.#ask(id);
    }
  }

  /** @param {string} id */
  async #ask(id) {
    const entry = this.followed.get(id);
    if (!entry || entry.asking) return;
    entry.asking = true;
    try {
      this.learn(await call(`${this.api}/jobs/${id}`));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        this.followed.delete(id);
        this.socket.unwatch(id);
        this.listeners.onGone?.(id);
        return;
      }
      // No answer now: the next tick asks again, and the page already shows that the connection is down.
      entry.heard = Date.now();
      this.listeners.onConnection?.(false);
    } finally {
      entry.asking = false;
    }
  }
}
