/**
 * The mask as a raster at the photo's full resolution: one byte a pixel, 255 = hole, 0 = known.
 *
 * Every change goes through `touch`, which tells the recorder (undo) which rectangle is about to change.
 */

import { EMPTY, intersect, isEmpty, union } from "./geometry.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {{x: number, y: number, radius: number}} Dab centre in photo pixels and radius */

export const HOLE = 255;
/** Server, command line and canvas use the same rule: this value or more is hole. */
export const THRESHOLD = 128;

export class MaskRaster {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height);
    /** Grows with every change, so that copies (drafts, exports) know whether they are still right. */
    this.revision = 0;
    /** A rectangle that surely holds all hole pixels; exact after `measure`. @type {Rect} */
    this.extent = { ...EMPTY };
    /** @type {((rect: Rect) => void) | null} */
    this.beforeChange = null;
    // What `measure` knows about each row, and which rows changed since: a stroke on a large photo touches few of them.
    this.rowPixels = new Uint32Array(height);
    this.rowFirst = new Int32Array(height);
    this.rowEnd = new Int32Array(height);
    this.pixels = 0;
    this.staleTop = height;
    this.staleBottom = 0;
  }

  /** @returns {Rect} */
  get bounds() {
    return { left: 0, top: 0, right: this.width, bottom: this.height };
  }

  /**
   * Paint from one dab to the next, as wide as they are: pixels whose centre lies in the convex hull of both circles.
   *
   * @param {Dab} from
   * @param {Dab} to
   * @param {boolean} erase
   * @returns {Rect} what may have changed
   */
  stroke(from, to, erase) {
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    const reach = Math.max(from.radius, to.radius, 0.5);
    // Short pieces keep the tested boxes small: a long diagonal would otherwise test its whole rectangle.
    const pieces = Math.max(1, Math.ceil(length / (reach * 2)));
    let dirty = /** @type {Rect} */ ({ ...EMPTY });
    for (let i = 0; i < pieces; i += 1) {
      dirty = union(dirty, this.#capsule(between(from, to, i / pieces), between(from, to, (i + 1) / pieces), erase));
    }
    return dirty;
  }

  /**
   * @param {Dab} a
   * @param {Dab} b
   * @param {boolean} erase
   * @returns {Rect}
   */
  #capsule(a, b, erase) {
    // A brush of one pixel still has to hit the pixel it is on.
    const ra = Math.max(a.radius, 0.71);
    const rb = Math.max(b.radius, 0.71);
    const box = intersect(this.bounds, {
      left: Math.floor(Math.min(a.x - ra, b.x - rb)),
      top: Math.floor(Math.min(a.y - ra, b.y - rb)),
      right: Math.ceil(Math.max(a.x + ra, b.x + rb)),
      bottom: Math.ceil(Math.max(a.y + ra, b.y + rb)),
    });
    if (isEmpty(box)) return box;
    this.#touch(box);
    const { data, width } = this;
    const value = erase ? 0 : HOLE;
    const sides = flanks({ ...a, radius: ra }, { ...b, radius: rb });
    // A row of the shape is one run: filling it costs a hundredth of asking each pixel for its distance.
    for (let y = box.top; y < box.bottom; y += 1) {
      let left = Infinity;
      let right = -Infinity;
      for (const [dab, radius] of /** @type {[Dab, number][]} */ ([[a, ra], [b, rb]])) {
        const square = radius * radius - (y + 0.5 - dab.y) ** 2;
        if (square < 0) continue;
        const half = Math.sqrt(square);
        left = Math.min(left, dab.x - half);
        right = Math.max(right, dab.x + half);
      }
      for (const [p, q] of sides) {
        if (p.y <= y + 0.5 === q.y <= y + 0.5) continue;
        const x = p.x + ((q.x - p.x) * (y + 0.5 - p.y)) / (q.y - p.y);
        left = Math.min(left, x);
        right = Math.max(right, x);
      }
      const first = Math.max(box.left, Math.ceil(left - 0.5));
      const last = Math.min(box.right - 1, Math.floor(right - 0.5));
      if (first <= last) data.fill(value, y * width + first, y * width + last + 1);
    }
    if (!erase) this.extent = union(this.extent, box);
    return box;
  }

  /**
   * Fill runs of pixels, as shapes and selections are made of.
   *
   * @param {Rect} box holds all the runs, in photo pixels
   * @param {boolean} erase
   * @param {(fill: (y: number, from: number, to: number) => void) => void} draw `to` is exclusive
   * @returns {Rect} what may have changed
   */
  runs(box, erase, draw) {
    const inside = intersect(box, this.bounds);
    if (isEmpty(inside)) return inside;
    this.#touch(inside);
    const { data, width } = this;
    const value = erase ? 0 : HOLE;
    draw((y, from, to) => {
      const first = Math.max(from, inside.left);
      const last = Math.min(to, inside.right);
      if (first < last && y >= inside.top && y < inside.bottom) data.fill(value, y * width + first, y * width + last);
    });
    if (!erase) this.extent = union(this.extent, inside);
    return inside;
  }

  /** Everything known. @returns {Rect} */
  clear() {
    const box = this.extent;
    if (isEmpty(box)) return box;
    this.#touch(box);
    for (let y = box.top; y < box.bottom; y += 1) {
      this.data.fill(0, y * this.width + box.left, y * this.width + box.right);
    }
    this.extent = { ...EMPTY };
    return box;
  }

  /** Hole becomes known and known becomes hole. @returns {Rect} */
  invert() {
    const { data } = this;
    this.#touch(this.bounds);
    // Four pixels at a time: all of them are 0 or 255.
    const words = new Uint32Array(data.buffer, 0, data.length >> 2);
    for (let i = 0; i < words.length; i += 1) words[i] = ~(/** @type {number} */ (words[i]));
    for (let i = words.length * 4; i < data.length; i += 1) data[i] = HOLE - /** @type {number} */ (data[i]);
    this.extent = this.bounds;
    this.measure();
    return this.bounds;
  }

  /**
   * Take over a whole mask.
   *
   * @param {Uint8Array} grey one byte a pixel, row by row; 128 or more is hole
   * @returns {Rect}
   */
  replace(grey) {
    if (grey.length !== this.data.length) {
      throw new RangeError(`The mask has ${grey.length} pixels, the photo ${this.data.length}.`);
    }
    this.#touch(this.bounds);
    for (let i = 0; i < grey.length; i += 1) this.data[i] = /** @type {number} */ (grey[i]) >= THRESHOLD ? HOLE : 0;
    this.extent = this.bounds;
    this.measure();
    return this.bounds;
  }

  /**
   * Count the hole and make `extent` exact.
   *
   * @returns {{pixels: number, extent: Rect}}
   */
  measure() {
    const { width, height, extent, rowPixels, rowFirst, rowEnd } = this;
    for (let y = this.staleTop; y < this.staleBottom; y += 1) this.#measureRow(y);
    this.staleTop = height;
    this.staleBottom = 0;
    let left = width;
    let top = height;
    let right = 0;
    let bottom = 0;
    for (let y = extent.top; y < extent.bottom; y += 1) {
      if (rowPixels[y] === 0) continue;
      left = Math.min(left, /** @type {number} */ (rowFirst[y]));
      right = Math.max(right, /** @type {number} */ (rowEnd[y]));
      top = Math.min(top, y);
      bottom = y + 1;
    }
    this.extent = this.pixels > 0 ? { left, top, right, bottom } : { ...EMPTY };
    return { pixels: this.pixels, extent: this.extent };
  }

  /** @param {number} y */
  #measureRow(y) {
    const { data, width, rowPixels, rowFirst, rowEnd } = this;
    const row = data.subarray(y * width, (y + 1) * width);
    const first = row.indexOf(HOLE);
    const end = row.lastIndexOf(HOLE) + 1;
    let count = 0;
    if (first >= 0) for (let x = first; x < end; x += 1) count += /** @type {number} */ (row[x]) & 1;
    this.pixels += count - /** @type {number} */ (rowPixels[y]);
    rowPixels[y] = count;
    rowFirst[y] = first;
    rowEnd[y] = end;
  }

  /**
   * Pixels were written from outside (undo): the extent must cover them too.
   *
   * @param {Rect} rect
   */
  written(rect) {
    this.revision += 1;
    const inside = intersect(rect, this.bounds);
    this.extent = union(this.extent, inside);
    this.#stale(inside);
  }

  /** @param {Rect} rect */
  #touch(rect) {
    this.revision += 1;
    this.beforeChange?.(rect);
    this.#stale(rect);
  }

  /** @param {Rect} rect */
  #stale(rect) {
    if (isEmpty(rect)) return;
    this.staleTop = Math.min(this.staleTop, rect.top);
    this.staleBottom = Math.max(this.staleBottom, rect.bottom);
  }
}

/**
 * @param {Dab} a
 * @param {Dab} b
 * @param {number} t 0 to 1
 * @returns {Dab}
 */
function between(a, b, t) {
  return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t, radius: a.radius + (b.radius - a.radius) * t };
}

/**
 * The two straight sides that join the circles of a stroke: they touch both circles, so that the whole is what a brush
 * covers on its way while it grows or shrinks evenly.
 *
 * @param {Dab} a
 * @param {Dab} b
 * @returns {[import("./geometry.js").Point, import("./geometry.js").Point][]} none when one circle holds the other
 */
function flanks(a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = Math.hypot(dx, dy);
  const lean = length > 0 ? (a.radius - b.radius) / length : 1;
  if (Math.abs(lean) >= 1) return [];
  const across = Math.sqrt(1 - lean * lean) / length;
  const along = lean / length;
  return /** @type {const} */ ([1, -1]).map((side) => {
    const nx = dx * along - side * dy * across;
    const ny = dy * along + side * dx * across;
    return [
      { x: a.x + nx * a.radius, y: a.y + ny * a.radius },
      { x: b.x + nx * b.radius, y: b.y + ny * b.radius },
    ];
  });
}
