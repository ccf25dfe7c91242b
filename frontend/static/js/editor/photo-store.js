/** The pictures on show, decoded. Only a few are kept: each takes up to 26 MB. */

import { ApiError } from "../lib/http.js";

/** @typedef {import("../types.js").Version} Version */

const KEEP = 3;

/**
 * @param {string} url
 * @returns {Promise<ImageBitmap>}
 */
export async function fetchBitmap(url) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin" });
  } catch {
    throw new ApiError("The photo could not be loaded: the studio cannot be reached.", "offline", 0);
  }
  if (!response.ok) throw new ApiError(`The photo could not be loaded (error ${response.status}).`, "photo", response.status);
  try {
    return await createImageBitmap(await response.blob());
  } catch {
    throw new ApiError("This browser cannot show that photo.", "photo", 0);
  }
}

export class PhotoStore {
  constructor() {
    /** @type {Map<string, Promise<ImageBitmap>>} in order of last use */
    this.bitmaps = new Map();
  }

  /**
   * @param {Version} version
   * @returns {Promise<ImageBitmap>}
   */
  load(version) {
    const known = this.bitmaps.get(version.id);
    const bitmap = known ?? fetchBitmap(version.display_url);
    this.bitmaps.delete(version.id);
    this.bitmaps.set(version.id, bitmap);
    if (!known) bitmap.catch(() => this.bitmaps.delete(version.id));
    this.#trim();
    return bitmap;
  }

  #trim() {
    // Let go, not closed: one of them may still be on the stage.
    for (const id of this.bitmaps.keys()) {
      if (this.bitmaps.size <= KEEP) return;
      this.bitmaps.delete(id);
    }
  }
}
