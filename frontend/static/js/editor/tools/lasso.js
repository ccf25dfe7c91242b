/**
 * An outline around what should go: drawn in one go by dragging, or corner by corner by clicking. Clicks and drags can
 * follow each other; a click on the first corner, a double click or Enter closes the outline.
 */

import { EMPTY } from "../geometry.js";
import { fillPolygon } from "../shapes.js";

/** @typedef {import("./tool.js").Tool} Tool */
/** @typedef {import("./tool.js").Dab} Dab */
/** @typedef {import("./tool.js").Point} Point */
/** @typedef {import("./tool.js").Sketch} Sketch */
/** @typedef {import("./tool.js").MaskRaster} MaskRaster */

/** @implements {Tool} */
export class Lasso {
  constructor() {
    this.id = "lasso";
    this.label = "lasso";
    this.paints = true;
    this.erases = false;
    this.round = false;
    /** @type {Point[]} */
    this.points = [];
    /** How many points there were after each click, so that corners can be taken back. @type {number[]} */
    this.corners = [];
    /** @type {Point | null} */
    this.next = null;
    this.erase = false;
    this.dragged = false;
    this.closing = false;
    this.slack = 0;
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab} dab
   */
  down(_mask, dab) {
    const first = this.points[0];
    const last = this.points[this.points.length - 1];
    if (!first) this.erase = dab.erase;
    this.slack = dab.slack;
    this.dragged = false;
    // The second press of a double click comes where the last corner is.
    this.closing = this.points.length > 2 && [first, last].some((point) => point !== undefined && apart(point, dab) <= dab.slack);
    if (!this.closing) this.points.push({ x: dab.x, y: dab.y });
    this.next = null;
    return { ...EMPTY };
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab[]} dabs
   */
  move(_mask, dabs) {
    if (this.closing) return { ...EMPTY };
    const start = /** @type {Point} */ (this.points[this.points.length - 1]);
    this.dragged ||= dabs.some((dab) => apart(start, dab) > this.slack);
    if (this.dragged) this.points.push(...dabs.map(({ x, y }) => ({ x, y })));
    return { ...EMPTY };
  }

  /** @param {MaskRaster} mask */
  up(mask) {
    if (this.closing || (this.dragged && this.corners.length === 0)) return this.finish(mask);
    this.corners.push(this.points.length);
    return { ...EMPTY };
  }

  cancel() {
    this.points = [];
    this.corners = [];
    this.next = null;
    this.closing = false;
  }

  pending() {
    return this.corners.length > 0;
  }

  /** @param {Dab} dab */
  hover({ x, y }) {
    if (this.pending()) this.next = { x, y };
  }

  /** @param {MaskRaster} mask */
  finish(mask) {
    const { points, erase } = this;
    this.cancel();
    return fillPolygon(mask, points, erase);
  }

  stepBack() {
    this.corners.pop();
    this.points.length = this.corners[this.corners.length - 1] ?? 0;
    if (this.points.length === 0) this.cancel();
  }

  /** @returns {Sketch | null} */
  sketch() {
    if (this.points.length === 0) return null;
    const points = this.next ? [...this.points, this.next] : this.points;
    return { points, closed: false, erase: this.erase, width: 0 };
  }
}

/**
 * @param {Point} a
 * @param {Point} b
 */
function apart(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
