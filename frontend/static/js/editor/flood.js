/** The magic wand: which pixels have the colour that was pointed at. Runs in a worker and in tests. */

/**
 * Pixels whose red, green and blue each differ from the seed's by at most the tolerance.
 *
 * @param {Uint8ClampedArray} rgba four bytes a pixel, row by row
 * @param {number} width
 * @param {number} height
 * @param {{x: number, y: number}} seed whole pixels
 * @param {number} tolerance 0 to 255
 * @param {boolean} contiguous only what hangs together with the seed by its sides
 * @returns {Uint8Array} 1 where selected
 * @throws {RangeError} when the seed lies outside
 */
export function selectByColour(rgba, width, height, seed, tolerance, contiguous) {
  if (seed.x < 0 || seed.y < 0 || seed.x >= width || seed.y >= height) throw new RangeError("The seed lies outside.");
  const at = (seed.y * width + seed.x) * 4;
  const red = /** @type {number} */ (rgba[at]);
  const green = /** @type {number} */ (rgba[at + 1]);
  const blue = /** @type {number} */ (rgba[at + 2]);
  const alike = (/** @type {number} */ pixel) => {
    const i = pixel * 4;
    return (
      Math.abs(/** @type {number} */ (rgba[i]) - red) <= tolerance &&
      Math.abs(/** @type {number} */ (rgba[i + 1]) - green) <= tolerance &&
      Math.abs(/** @type {number} */ (rgba[i + 2]) - blue) <= tolerance
    );
  };
  const selected = new Uint8Array(width * height);
  if (!contiguous) {
    for (let i = 0; i < selected.length; i += 1) if (alike(i)) selected[i] = 1;
    return selected;
  }
  // Whole runs of a row at a time: only one pixel of each run above and below waits on the stack.
  const stack = [seed.y * width + seed.x];
  for (;;) {
    const start = stack.pop();
    if (start === undefined) return selected;
    if (selected[start]) continue;
    const y = Math.floor(start / width);
    const row = y * width;
    let left = start;
    while (left > row && !selected[left - 1] && alike(left - 1)) left -= 1;
    let right = start;
    while (right < row + width - 1 && !selected[right + 1] && alike(right + 1)) right += 1;
    selected.fill(1, left, right + 1);
    for (const step of [y > 0 ? -width : 0, y < height - 1 ? width : 0]) {
      if (step === 0) continue;
      let inRun = false;
      for (let i = left + step; i <= right + step; i += 1) {
        const free = !selected[i] && alike(i);
        if (free && !inRun) stack.push(i);
        inRun = free;
      }
    }
  }
}

/**
 * A selection as runs of the photo's own pixels, which may be more than those it was made on: every photo pixel gets
 * what the selection says where its centre lies.
 *
 * @param {Uint8Array} selected 1 where selected
 * @param {number} width of the selection
 * @param {number} height
 * @param {number} photoWidth
 * @param {number} photoHeight
 * @returns {Int32Array} row, first column, column after the last; rows in order
 */
export function runsAtFullSize(selected, width, height, photoWidth, photoHeight) {
  const across = photoWidth / width;
  const firstOf = (/** @type {number} */ column) => Math.max(0, Math.ceil(column * across - 0.5));
  const runs = new Triples();
  let known = -1;
  /** @type {number[]} */
  let ends = [];
  for (let y = 0; y < photoHeight; y += 1) {
    const row = Math.min(height - 1, Math.floor(((y + 0.5) * height) / photoHeight));
    if (row !== known) {
      known = row;
      ends = [];
      let before = 0;
      for (let x = 0; x <= width; x += 1) {
        const now = x < width ? /** @type {number} */ (selected[row * width + x]) : 0;
        if (now !== before) ends.push(x === width ? photoWidth : firstOf(x));
        before = now;
      }
    }
    for (let i = 0; i + 1 < ends.length; i += 2) {
      const [from, to] = /** @type {[number, number]} */ ([ends[i], ends[i + 1]]);
      if (from < to) runs.push(y, from, to);
    }
  }
  return runs.done();
}

/** Grows by doubling; an ordinary array of numbers would take four times the memory. */
export class Triples {
  constructor() {
    this.values = new Int32Array(3072);
    this.length = 0;
  }

  /**
   * @param {number} y
   * @param {number} from
   * @param {number} to
   */
  push(y, from, to) {
    if (this.length + 3 > this.values.length) {
      const larger = new Int32Array(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length] = y;
    this.values[this.length + 1] = from;
    this.values[this.length + 2] = to;
    this.length += 3;
  }

  /** @returns {Int32Array} */
  done() {
    return this.values.slice(0, this.length);
  }
}
