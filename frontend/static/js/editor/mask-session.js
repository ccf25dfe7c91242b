/** The mask being painted on one version: the raster, its undo steps, its PNG, and the draft kept in this browser. */

import { Drafts, SharedDraft } from "./drafts.js";
import { MaskRaster } from "./mask-raster.js";
import { decodeGrey, encodeGrey } from "./png.js";
import { UndoStack } from "./undo.js";

/** @typedef {import("./geometry.js").Rect} Rect */

const DRAFT_DELAY_MS = 250;
const SHARE_DELAY_MS = 1500;

export class MaskSession {
  /**
   * @param {number} width
   * @param {number} height
   * @param {{onEdited: () => void, onNoDrafts: () => void}} listeners
   * @param {string} api
   * @param {import("../types.js").Draft | null} shared the draft that lay at the studio when the page was made
   */
  constructor(width, height, listeners, api, shared) {
    this.listeners = listeners;
    this.raster = new MaskRaster(width, height);
    this.undoStack = new UndoStack(this.raster);
    this.holePixels = 0;
    this.drafts = new Drafts();
    this.sharedDraft = new SharedDraft(api);
    this.shared = shared;
    this.draftTimer = 0;
    this.shareTimer = 0;
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
      png = await this.#latestDraft(version);
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
    const stale = this.shared !== null && this.shared.version === done;
    this.holdBack();
    this.shared = null;
    this.version = version;
    this.#forget();
    if (!done) return;
    try {
      await this.drafts.remove(done);
      // The studio drops a draft when its mask is sent in; one that came there afterwards would stay.
      if (stale) await this.sharedDraft.save(done, null);
    } catch (error) {
      console.warn(error);
    }
  }

  /** The mask is on its way as a fill: it need not reach the studio as a draft too. */
  holdBack() {
    clearTimeout(this.shareTimer);
    this.shareTimer = 0;
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
      clearTimeout(this.shareTimer);
      this.shareTimer = window.setTimeout(() => void this.#share(version), SHARE_DELAY_MS);
    } catch (error) {
      console.warn(error);
      if (this.draftsWork) this.listeners.onNoDrafts();
      this.draftsWork = false;
    }
  }

  /**
   * This browser's draft, unless the studio has a later one from another device.
   *
   * @param {string} version
   * @returns {Promise<Blob | null>}
   */
  async #latestDraft(version) {
    const kept = await this.drafts.load(version);
    const { shared } = this;
    if (!shared || shared.version !== version || shared.updated_at === kept?.sent) return kept?.png ?? null;
    if (kept && kept.at > Date.parse(shared.updated_at)) return kept.png;
    return (await this.sharedDraft.load(version)) ?? kept?.png ?? null;
  }

  /** @param {string} version */
  async #share(version) {
    this.shareTimer = 0;
    if (this.version !== version) return;
    try {
      const { revision } = this.raster;
      const png = this.empty ? null : await this.file();
      const sent = await this.sharedDraft.save(version, png);
      if (png && sent && this.raster.revision === revision && this.version === version) {
        this.shared = { version, url: "", updated_at: sent };
        await this.drafts.save(version, png, sent);
      }
    } catch (error) {
      // The draft in this browser is safe; the next stroke tries again.
      console.info("The draft did not reach the studio.", error);
    }
  }

  #forget() {
    this.undoStack.reset();
    this.raster.clear();
    this.holePixels = 0;
  }
}
