/** A rough stroke over an object. The studio looks for the object's edge; the stroke itself never becomes mask. */

import { EMPTY } from "../geometry.js";

/** @typedef {import("./tool.js").Tool} Tool */
/** @typedef {import("./tool.js").Dab} Dab */
/** @typedef {import("./tool.js").Sketch} Sketch */
/** @typedef {import("./tool.js").MaskRaster} MaskRaster */

/** @implements {Tool} */
export class ObjectStroke {
  /** @param {(stroke: Dab[]) => void} onStroke */
  constructor(onStroke) {
    this.id = "object";
    this.label = "object selection";
    this.paints = true;
    this.erases = false;
    this.round = true;
    this.onStroke = onStroke;
    /** @type {Dab[]} */
    this.stroke = [];
    /** Whether the stroke was handed over and still shows what is being looked for. */
    this.sent = false;
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab} dab
   */
  down(_mask, dab) {
    this.stroke = [dab];
    this.sent = false;
    return { ...EMPTY };
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab[]} dabs
   */
  move(_mask, dabs) {
    this.stroke.push(...dabs);
    return { ...EMPTY };
  }

  up() {
    this.sent = true;
    if (this.stroke.length > 0) this.onStroke(this.stroke);
    return { ...EMPTY };
  }

  cancel() {
    this.stroke = [];
    this.sent = false;
  }

  /** @returns {Sketch | null} */
  sketch() {
    const first = this.stroke[0];
    if (!first) return null;
    return { points: this.stroke, closed: false, erase: first.erase, width: first.radius * 2 };
  }
}
