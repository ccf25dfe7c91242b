/**
 * The unfinished mask, kept between strokes so that a reload loses nothing: in this browser at once and for each version,
 * at the studio a little later, the last one only, so that it is there on another device.
 */

import { csrfToken, errorFrom } from "../lib/http.js";

const NAME = "reweave";
const STORE = "drafts";
const MOST = 30;

/** @typedef {{version: string, png: Blob, at: number, sent?: string}} KeptDraft `sent`: when the studio got it */
/** @typedef {import("../types.js").Draft} Draft */

export class Drafts {
  constructor() {
    /** @type {Promise<IDBDatabase> | null} */
    this.database = null;
  }

  /**
   * @param {string} version
   * @returns {Promise<KeptDraft | null>}
   */
  async load(version) {
    const store = await this.#store("readonly");
    const draft = /** @type {KeptDraft | undefined} */ (await done(store.get(version)));
    return draft ?? null;
  }

  /**
   * @param {string} version
   * @param {Blob} png
   * @param {string} [sent]
   */
  async save(version, png, sent) {
    const store = await this.#store("readwrite");
    await done(store.put({ version, png, at: Date.now(), ...(sent ? { sent } : {}) }));
    await this.#prune();
  }

  /** @param {string} version */
  async remove(version) {
    const store = await this.#store("readwrite");
    await done(store.delete(version));
  }

  async #prune() {
    const store = await this.#store("readwrite");
    const keys = await done(store.index("at").getAllKeys());
    for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await done(store.delete(key));
  }

  /** @param {IDBTransactionMode} mode */
  async #store(mode) {
    this.database ??= open();
    const database = await this.database;
    return database.transaction(STORE, mode).objectStore(STORE);
  }
}

/** The draft at the studio: one a picture and person, the last writer wins. */
export class SharedDraft {
  /** @param {string} api */
  constructor(api) {
    this.api = api;
  }

  /**
   * @param {string} version
   * @returns {Promise<Blob | null>}
   */
  async load(version) {
    const response = await fetch(this.#url(version), { credentials: "same-origin" });
    if (!response.ok) throw errorFrom(response.status, await response.text());
    return response.status === 204 ? null : response.blob();
  }

  /**
   * @param {string} version
   * @param {Blob | null} png nothing removes the draft
   * @returns {Promise<string | null>} when the studio got it
   */
  async save(version, png) {
    const response = await fetch(this.#url(version), {
      method: png ? "PUT" : "DELETE",
      body: png,
      credentials: "same-origin",
      headers: { "X-CSRFToken": csrfToken(), ...(png ? { "Content-Type": "image/png" } : {}) },
    });
    const text = await response.text();
    if (!response.ok) throw errorFrom(response.status, text);
    return text ? /** @type {Draft} */ (JSON.parse(text)).updated_at : null;
  }

  /** @param {string} version */
  #url(version) {
    return `${this.api}/versions/${version}/draft`;
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE, { keyPath: "version" }).createIndex("at", "at");
  };
  return done(request);
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
