/** Rectangles, outlines and selections as runs of mask pixels. A pixel belongs to a shape when its centre does. */

import { EMPTY, isEmpty } from "./geometry.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */

/**
 * @param {MaskRaster} mask
 * @param {Point} a one corner, photo pixels
 * @param {Point} b the other one
 * @param {boolean} erase
 * @returns {Rect} what may have changed
 */
export function fillRectangle(mask, a, b, erase) {
  const box = {
    left: Math.round(Math.min(a.x, b.x)),
    top: Math.round(Math.min(a.y, b.y)),
    right: Math.round(Math.max(a.x, b.x)),
    bottom: Math.round(Math.max(a.y, b.y)),
  };
  return mask.runs(box, erase, (fill) => {
    for (let y = Math.max(0, box.top); y < Math.min(mask.height, box.bottom); y += 1) fill(y, box.left, box.right);
  });
}

/**
 * The inside of a closed outline by the non-zero rule: where a hand-drawn line crosses itself nothing falls out.
 *
 * @param {MaskRaster} mask
 * @param {Point[]} points photo pixels
 * @param {boolean} erase
 * @returns {Rect} what may have changed
 */
export function fillPolygon(mask, points, erase) {
  if (points.length < 3) return { ...EMPTY };
  let { x: left, y: top } = /** @type {Point} */ (points[0]);
  let [right, bottom] = [left, top];
  for (const { x, y } of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const box = { left: Math.floor(left), top: Math.floor(top), right: Math.ceil(right), bottom: Math.ceil(bottom) };
  return mask.runs(box, erase, (fill) => {
    const first = Math.max(0, box.top);
    const rows = crossings(points, first, Math.min(mask.height, box.bottom));
    for (const [i, row] of rows.entries()) {
      row.sort((a, b) => a.x - b.x);
      let winding = 0;
      for (const [k, { x, turn }] of row.entries()) {
        winding += turn;
        const next = row[k + 1];
        if (winding !== 0 && next) fill(first + i, firstCentre(x), firstCentre(next.x));
      }
    }
  });
}

/** @param {number} x @returns {number} the first pixel whose centre lies at x or right of it */
function firstCentre(x) {
  return Math.ceil(x - 0.5);
}

/**
 * Where the outline crosses the middle of each row, and whether it goes down (1) or up (-1) there.
 *
 * @param {Point[]} points
 * @param {number} top first row
 * @param {number} bottom the row after the last
 * @returns {{x: number, turn: number}[][]}
 */
function crossings(points, top, bottom) {
  const rows = Array.from({ length: Math.max(0, bottom - top) }, () => /** @type {{x: number, turn: number}[]} */ ([]));
  for (const [i, to] of points.entries()) {
    const from = /** @type {Point} */ (points[(i + points.length - 1) % points.length]);
    if (from.y === to.y) continue;
    const turn = to.y > from.y ? 1 : -1;
    const [upper, lower] = turn > 0 ? [from, to] : [to, from];
    const slope = (lower.x - upper.x) / (lower.y - upper.y);
    const last = Math.min(bottom, firstCentre(lower.y));
    for (let y = Math.max(top, firstCentre(upper.y)); y < last; y += 1) {
      /** @type {{x: number, turn: number}[]} */ (rows[y - top]).push({ x: upper.x + (y + 0.5 - upper.y) * slope, turn });
    }
  }
  return rows;
}

/**
 * Runs as a worker sends them: row, first column, column after the last, again and again.
 *
 * @param {MaskRaster} mask
 * @param {Int32Array} triples in photo pixels, shifted by (left, top)
 * @param {boolean} erase
 * @param {{left: number, top: number}} [shift]
 * @returns {Rect} what may have changed
 */
export function fillRuns(mask, triples, erase, { left, top } = EMPTY) {
  const box = { left: mask.width, top: mask.height, right: 0, bottom: 0 };
  for (let i = 0; i < triples.length; i += 3) {
    const y = /** @type {number} */ (triples[i]) + top;
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y + 1);
    box.left = Math.min(box.left, /** @type {number} */ (triples[i + 1]) + left);
    box.right = Math.max(box.right, /** @type {number} */ (triples[i + 2]) + left);
  }
  if (isEmpty(box)) return { ...EMPTY };
  return mask.runs(box, erase, (fill) => {
    for (let i = 0; i < triples.length; i += 3) {
      const [y, from, to] = /** @type {[number, number, number]} */ ([triples[i], triples[i + 1], triples[i + 2]]);
      fill(y + top, from + left, to + left);
    }
  });
}
