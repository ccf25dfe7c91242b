/** Brush and eraser: the same hand, adding to the hole or taking from it. */

import { EMPTY, union } from "../geometry.js";

/** @typedef {import("./tool.js").Tool} Tool */
/** @typedef {import("./tool.js").Dab} Dab */
/** @typedef {import("./tool.js").Rect} Rect */
/** @typedef {import("./tool.js").MaskRaster} MaskRaster */

/** @implements {Tool} */
export class Brush {
  /**
   * @param {string} id
   * @param {string} label
   * @param {boolean} erases
   */
  constructor(id, label, erases) {
    this.id = id;
    this.label = label;
    this.paints = true;
    this.erases = erases;
    this.round = true;
    /** @type {Dab | null} */
    this.last = null;
  }

  /**
   * @param {MaskRaster} mask
   * @param {Dab} dab
   * @returns {Rect}
   */
  down(mask, dab) {
    this.last = dab;
    return mask.stroke(dab, dab, this.erases !== dab.erase);
  }

  /**
   * @param {MaskRaster} mask
   * @param {Dab[]} dabs
   * @returns {Rect}
   */
  move(mask, dabs) {
    let dirty = /** @type {Rect} */ ({ ...EMPTY });
    for (const dab of dabs) {
      dirty = union(dirty, mask.stroke(this.last ?? dab, dab, this.erases !== dab.erase));
      this.last = dab;
    }
    return dirty;
  }

  /** @returns {Rect} */
  up() {
    this.last = null;
    return { ...EMPTY };
  }

  cancel() {
    this.last = null;
  }
}
