/** The unfinished mask, kept in this browser between strokes so that a reload loses nothing. */

const NAME = "reweave";
const STORE = "drafts";
const MOST = 30;

/** @typedef {{version: string, png: Blob, at: number}} Draft */

export class Drafts {
  constructor() {
    /** @type {Promise<IDBDatabase> | null} */
    this.database = null;
  }

  /**
   * @param {string} version
   * @returns {Promise<Blob | null>}
   */
  async load(version) {
    const store = await this.#store("readonly");
    const draft = /** @type {Draft | undefined} */ (await done(store.get(version)));
    return draft?.png ?? null;
  }

  /**
   * @param {string} version
   * @param {Blob} png
   */
  async save(version, png) {
    const store = await this.#store("readwrite");
    await done(store.put({ version, png, at: Date.now() }));
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
