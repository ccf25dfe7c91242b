/** One websocket a page that comes back by itself and says what it was told to watch each time it does. */

import { Backoff } from "./backoff.js";
import { parseMessage, ping, unwatch, watch } from "./messages.js";

/** @typedef {import("./messages.js").ServerMessage} ServerMessage */
/**
 * What a socket stands on; tests hand in their own.
 *
 * @typedef {{
 *   open: (url: string) => WebSocket,
 *   later: (run: () => void, ms: number) => any,
 *   forget: (handle: any) => void,
 * }} Surroundings
 */

/** Events of the document by which whoever has the page's socket passes on what is not its own affair. */
export const NEWS = "reweave:news";
export const SOCKET_UP = "reweave:up";

const PING_EVERY_MS = 25000;
const PONG_WITHIN_MS = 10000;

/** @type {Surroundings} */
const BROWSER = {
  open: (url) => new WebSocket(url),
  later: (run, ms) => setTimeout(run, ms),
  forget: (handle) => clearTimeout(handle),
};

export class LiveSocket {
  /**
   * @param {string} url path or address; a path is taken on this site
   * @param {{onMessage: (message: ServerMessage) => void, onUp?: () => void, onDown?: () => void}} listeners
   * @param {Surroundings} [surroundings]
   * @param {Backoff} [backoff]
   */
  constructor(url, listeners, surroundings = BROWSER, backoff = new Backoff()) {
    this.url = url;
    this.listeners = listeners;
    this.surroundings = surroundings;
    this.backoff = backoff;
    /** @type {Set<string>} */
    this.watched = new Set();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.up = false;
    this.stopped = true;
    /** @type {any} */
    this.retryTimer = null;
    /** @type {any} */
    this.pingTimer = null;
  }

  start() {
    if (!this.stopped) return;
    this.stopped = false;
    this.#connect();
  }

  /** Close for good. */
  stop() {
    this.stopped = true;
    this.surroundings.forget(this.retryTimer);
    this.surroundings.forget(this.pingTimer);
    this.socket?.close();
    this.socket = null;
    this.up = false;
  }

  /** Try at once instead of waiting, for example when the network is back. */
  hurry() {
    if (this.stopped || this.socket) return;
    this.surroundings.forget(this.retryTimer);
    this.#connect();
  }

  /** @param {string} job */
  watch(job) {
    this.watched.add(job);
    this.#send(watch(job));
  }

  /** @param {string} job */
  unwatch(job) {
    if (this.watched.delete(job)) this.#send(unwatch(job));
  }

  #connect() {
    let socket;
    try {
      socket = this.surroundings.open(this.url);
    } catch {
      this.#retry();
      return;
    }
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.up = true;
      for (const job of this.watched) this.#send(watch(job));
      this.#pingLater();
      this.listeners.onUp?.();
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      // Only a socket that also delivers counts as healthy: a proxy may accept and then drop it.
      this.backoff.reset();
      this.#pingLater();
      const message = parseMessage(String(event.data));
      if (message) this.listeners.onMessage(message);
    };
    socket.onclose = () => this.#lost(socket);
  }

  /** @param {WebSocket} socket */
  #lost(socket) {
    if (this.socket !== socket) return;
    this.socket = null;
    this.up = false;
    this.surroundings.forget(this.pingTimer);
    if (this.stopped) return;
    this.listeners.onDown?.();
    this.#retry();
  }

  #retry() {
    this.retryTimer = this.surroundings.later(() => this.#connect(), this.backoff.next());
  }

  #pingLater() {
    this.surroundings.forget(this.pingTimer);
    this.pingTimer = this.surroundings.later(() => {
      this.#send(ping());
      const socket = this.socket;
      this.pingTimer = this.surroundings.later(() => {
        // Nothing came back: the line is dead although nobody said so.
        if (!socket || this.socket !== socket) return;
        socket.close();
        this.#lost(socket);
      }, PONG_WITHIN_MS);
    }, PING_EVERY_MS);
  }

  /** @param {object} message */
  #send(message) {
    if (this.up && this.socket) this.socket.send(JSON.stringify(message));
  }
}
