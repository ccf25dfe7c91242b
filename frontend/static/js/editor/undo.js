/**
 * Undo by what changed, not by copies: before a tile of the mask is touched for the first time in a step, its pixels
 * are kept as bits (a tile of 64 × 64 is 512 bytes). The memory is bounded; the oldest steps go first.
 */

import { EMPTY, union } from "./geometry.js";
import { HOLE } from "./mask-raster.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */
/** @typedef {{label: string, tiles: Map<number, Uint8Array>, bytes: number}} Step */

export const TILE = 64;
/** Four pixels of hole. */
const ALL = 0xffffffff;
const TILE_COST = (TILE * TILE) / 8 + 48;

export class UndoStack {
  /**
   * @param {MaskRaster} mask
   * @param {number} [most] bytes that may be kept
   */
  constructor(mask, most = 48 * 1024 * 1024) {
    this.mask = mask;
    this.most = most;
    this.columns = Math.ceil(mask.width / TILE);
    /** The mask four pixels at a time, where its rows begin at whole words. Most of a mask is all hole or all known. */
    this.words = mask.width % 4 === 0 ? new Uint32Array(mask.data.buffer, 0, mask.data.length >> 2) : null;
    /** @type {Step[]} */
    this.done = [];
    /** @type {Step[]} */
    this.undone = [];
    /** @type {Step | null} */
    this.open = null;
    mask.beforeChange = (rect) => this.#keep(rect);
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  get bytes() {
    return [...this.done, ...this.undone].reduce((sum, step) => sum + step.bytes, 0);
  }

  /** @param {string} label what the step does, for people */
  begin(label) {
    this.commit();
    this.open = { label, tiles: new Map(), bytes: 0 };
  }

  /** End the step; one that changed nothing leaves no trace. */
  commit() {
    const step = this.open;
    this.open = null;
    if (!step) return;
    for (const [index, bits] of step.tiles) {
      if (sameBits(bits, this.#read(index))) step.tiles.delete(index);
    }
    if (step.tiles.size === 0) return;
    step.bytes = step.tiles.size * TILE_COST;
    this.done.push(step);
    this.undone = [];
    while (this.done.length > 1 && this.bytes > this.most) this.done.shift();
  }

  /**
   * Take back the step that is under way, as when a second finger joins.
   *
   * @returns {Rect} what has to be drawn again
   */
  abandon() {
    const step = this.open;
    this.open = null;
    return step ? this.#swap(step) : { ...EMPTY };
  }

  /** @returns {Rect} what has to be drawn again */
  undo() {
    this.commit();
    const step = this.done.pop();
    if (!step) return { ...EMPTY };
    this.undone.push(step);
    return this.#swap(step);
  }

  /** @returns {Rect} */
  redo() {
    this.commit();
    const step = this.undone.pop();
    if (!step) return { ...EMPTY };
    this.done.push(step);
    return this.#swap(step);
  }

  /** Forget everything, as when another picture comes. */
  reset() {
    this.open = null;
    this.done = [];
    this.undone = [];
  }

  /** @param {Rect} rect */
  #keep(rect) {
    const tiles = this.open?.tiles;
    if (!tiles) return;
    const lastRow = Math.floor((rect.bottom - 1) / TILE);
    const lastColumn = Math.floor((rect.right - 1) / TILE);
    for (let row = Math.floor(rect.top / TILE); row <= lastRow; row += 1) {
      for (let column = Math.floor(rect.left / TILE); column <= lastColumn; column += 1) {
        const index = row * this.columns + column;
        if (!tiles.has(index)) tiles.set(index, this.#read(index));
      }
    }
  }

  /**
   * Exchange the kept pixels with the present ones, which makes the same step good for the other direction.
   *
   * @param {Step} step
   * @returns {Rect}
   */
  #swap(step) {
    let dirty = /** @type {Rect} */ ({ ...EMPTY });
    for (const [index, bits] of step.tiles) {
      const present = this.#read(index);
      this.#write(index, bits);
      step.tiles.set(index, present);
      dirty = union(dirty, this.#tileRect(index));
    }
    this.mask.written(dirty);
    return dirty;
  }

  /**
   * @param {number} index
   * @returns {Rect}
   */
  #tileRect(index) {
    const left = (index % this.columns) * TILE;
    const top = Math.floor(index / this.columns) * TILE;
    const { width, height } = this.mask;
    return { left, top, right: Math.min(left + TILE, width), bottom: Math.min(top + TILE, height) };
  }

  /**
   * @param {number} index
   * @returns {Uint8Array} one bit a pixel
   */
  #read(index) {
    const { left, top, right, bottom } = this.#tileRect(index);
    const { words } = this;
    const { data, width } = this.mask;
    const bits = new Uint8Array((TILE * TILE) / 8);
    for (let y = top; y < bottom; y += 1) {
      const row = y * width;
      const base = (y - top) * TILE;
      // Eight pixels to the byte at a time: a change of the whole mask reads every tile of it.
      for (let x = left; x < right; x += 8) {
        const end = Math.min(8, right - x);
        const at = (row + x) >> 2;
        const alike = words !== null && end === 8 && words[at] === words[at + 1];
        let byte = 0;
        if (alike && (words[at] === 0 || words[at] === ALL)) {
          byte = /** @type {number} */ (words[at]) & 255;
        } else {
          for (let i = 0; i < end; i += 1) byte |= /** @type {number} */ (data[row + x + i]) & (1 << i);
        }
        bits[(base + x - left) >> 3] = byte;
      }
    }
    return bits;
  }

  /**
   * @param {number} index
   * @param {Uint8Array} bits
   */
  #write(index, bits) {
    const { left, top, right, bottom } = this.#tileRect(index);
    const { words } = this;
    const { data, width } = this.mask;
    for (let y = top; y < bottom; y += 1) {
      const row = y * width;
      const base = (y - top) * TILE;
      for (let x = left; x < right; x += 8) {
        const end = Math.min(8, right - x);
        const byte = /** @type {number} */ (bits[(base + x - left) >> 3]);
        if (words && end === 8 && (byte === 0 || byte === 255)) {
          words[(row + x) >> 2] = words[((row + x) >> 2) + 1] = byte === 0 ? 0 : ALL;
        } else {
          for (let i = 0; i < end; i += 1) data[row + x + i] = (byte >> i) & 1 ? HOLE : 0;
        }
      }
    }
  }
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
function sameBits(a, b) {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
