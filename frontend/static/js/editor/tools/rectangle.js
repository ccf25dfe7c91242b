/** A rectangle from corner to corner. */

import { EMPTY } from "../geometry.js";
import { fillRectangle } from "../shapes.js";

/** @typedef {import("./tool.js").Tool} Tool */
/** @typedef {import("./tool.js").Dab} Dab */
/** @typedef {import("./tool.js").Sketch} Sketch */
/** @typedef {import("./tool.js").MaskRaster} MaskRaster */

/** @implements {Tool} */
export class Rectangle {
  constructor() {
    this.id = "rectangle";
    this.label = "rectangle";
    this.paints = true;
    this.erases = false;
    this.round = false;
    /** @type {Dab | null} */
    this.from = null;
    /** @type {Dab | null} */
    this.to = null;
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab} dab
   */
  down(_mask, dab) {
    this.from = dab;
    this.to = dab;
    return { ...EMPTY };
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab[]} dabs
   */
  move(_mask, dabs) {
    this.to = dabs[dabs.length - 1] ?? this.to;
    return { ...EMPTY };
  }

  /** @param {MaskRaster} mask */
  up(mask) {
    const { from, to } = this;
    this.cancel();
    return from && to ? fillRectangle(mask, from, to, from.erase) : { ...EMPTY };
  }

  cancel() {
    this.from = null;
    this.to = null;
  }

  /** @returns {Sketch | null} */
  sketch() {
    const { from, to } = this;
    if (!from || !to) return null;
    const points = [from, { x: to.x, y: from.y }, to, { x: from.x, y: to.y }];
    return { points, closed: true, erase: from.erase, width: 0 };
  }
}
