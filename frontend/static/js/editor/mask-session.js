/** The mask being painted on one version: the raster, its undo steps, its PNG, and the draft kept in this browser. */

import { Drafts } from "./drafts.js";
import { MaskRaster } from "./mask-raster.js";
import { decodeGrey, encodeGrey } from "./png.js";
import { UndoStack } from "./undo.js";

/** @typedef {import("./geometry.js").Rect} Rect */

const DRAFT_DELAY_MS = 250;

export class MaskSession {
  /**
   * @param {number} width
   * @param {number} height
   * @param {{onEdited: () => void, onNoDrafts: () => void}} listeners
   */
  constructor(width, height, listeners) {
    this.listeners = listeners;
    this.raster = new MaskRaster(width, height);
    this.undoStack = new UndoStack(this.raster);
    this.holePixels = 0;
    this.drafts = new Drafts();
    this.draftTimer = 0;
    this.draftsWork = true;
    /** Version that the mask is painted on. @type {string | null} */
    this.version = null;
    /** @type {{revision: number, png: Promise<Blob>} | null} */
    this.encoded = null;
  }

  get empty() {
    return this.holePixels === 0;
  }

  /** The mask changed: count it, keep it, tell about it. */
  edited() {
    this.holePixels = this.raster.measure().pixels;
    clearTimeout(this.draftTimer);
    this.draftTimer = window.setTimeout(() => void this.saveDraft(), DRAFT_DELAY_MS);
    this.listeners.onEdited();
  }

  /**
   * Change the mask as a whole, as one step that can be undone.
   *
   * @param {string} label
   * @param {(mask: MaskRaster) => Rect} change
   * @returns {Rect}
   */
  edit(label, change) {
    this.undoStack.begin(label);
    const dirty = change(this.raster);
    this.undoStack.commit();
    this.edited();
    return dirty;
  }

  /**
   * Leave the present version and take up the mask that was begun on another one.
   *
   * @param {string} version
   */
  async open(version) {
    await this.saveDraft();
    this.version = version;
    this.#forget();
    let png = null;
    try {
      png = await this.drafts.load(version);
      if (!png || this.version !== version) return;
      const { grey, width, height } = await decodeGrey(new Uint8Array(await png.arrayBuffer()));
      if (this.version !== version || width !== this.raster.width || height !== this.raster.height) return;
      this.raster.replace(grey);
      this.holePixels = this.raster.measure().pixels;
    } catch (error) {
      // A draft that cannot be read is lost either way; the photo itself must still open.
      console.warn(error);
    }
  }

  /**
   * The hole was filled: its draft has done its work, and the result begins with nothing painted.
   *
   * @param {string} version the result
   */
  async finish(version) {
    clearTimeout(this.draftTimer);
    this.draftTimer = 0;
    const done = this.version;
    this.version = version;
    this.#forget();
    if (done) await this.drafts.remove(done).catch((error) => console.warn(error));
  }

  /** @returns {Promise<Blob>} the mask as it is now, as a PNG; encoded once per change */
  file() {
    const { raster } = this;
    if (this.encoded?.revision !== raster.revision) {
      this.encoded = { revision: raster.revision, png: encodeGrey(raster.data, raster.width, raster.height) };
    }
    return this.encoded.png;
  }

  /** Keep the unfinished mask in this browser now, if it changed since the last time. */
  async saveDraft() {
    const { version } = this;
    if (!this.draftTimer || !version) return;
    clearTimeout(this.draftTimer);
    this.draftTimer = 0;
    try {
      if (this.empty) await this.drafts.remove(version);
      else await this.drafts.save(version, await this.file());
    } catch (error) {
      console.warn(error);
      if (this.draftsWork) this.listeners.onNoDrafts();
      this.draftsWork = false;
    }
  }

  #forget() {
    this.undoStack.reset();
    this.raster.clear();
    this.holePixels = 0;
  }
}
