/**
 * What lies within so many pixels of the hole, by exact Euclidean distance between pixel centres.
 *
 * Two passes, each linear in the number of pixels whatever the distance: first how far it is to the nearest hole pixel
 * straight up or down (g), then every pixel of a row reaches √(n² − g²) to both sides, which is summed as differences.
 */

import { Triples } from "./flood.js";

/** The distance up and down is kept in a byte. */
export const MOST_REACH = 250;

/**
 * @param {Uint8Array} data one byte a pixel, anything but 0 is hole
 * @param {number} width
 * @param {number} height
 * @param {number} distance 1 to 250 pixels
 * @param {boolean} inward measure from the known pixels into the hole instead; beyond the border nothing is known or hole
 * @returns {Int32Array} runs of the pixels on the other side that lie within the distance: row, first, after the last
 * @throws {RangeError}
 */
export function runsWithin(data, width, height, distance, inward) {
  if (!Number.isInteger(distance) || distance < 1 || distance > MOST_REACH) {
    throw new RangeError(`The distance must be a whole number from 1 to ${MOST_REACH}.`);
  }
  const isSource = (/** @type {number} */ i) => (data[i] !== 0) !== inward;
  const steps = stepsUpAndDown(isSource, width, height, distance + 1);
  const reach = Int32Array.from({ length: distance + 1 }, (_, g) => Math.floor(Math.sqrt(distance * distance - g * g)));
  const change = new Int32Array(width + 1);
  const runs = new Triples();
  for (let y = 0; y < height; y += 1) {
    const row = y * width;
    change.fill(0);
    for (let x = 0; x < width; x += 1) {
      const g = /** @type {number} */ (steps[row + x]);
      if (g > distance) continue;
      const side = /** @type {number} */ (reach[g]);
      const from = x > side ? x - side : 0;
      const to = x + side + 1 < width ? x + side + 1 : width;
      change[from] = /** @type {number} */ (change[from]) + 1;
      change[to] = /** @type {number} */ (change[to]) - 1;
    }
    let over = 0;
    let begun = -1;
    for (let x = 0; x < width; x += 1) {
      over += /** @type {number} */ (change[x]);
      const taken = over > 0 && steps[row + x] !== 0;
      if (taken && begun < 0) begun = x;
      if (!taken && begun >= 0) {
        runs.push(y, begun, x);
        begun = -1;
      }
    }
    if (begun >= 0) runs.push(y, begun, width);
  }
  return runs.done();
}

/**
 * @param {(index: number) => boolean} isSource
 * @param {number} width
 * @param {number} height
 * @param {number} most
 * @returns {Uint8Array} steps to the nearest source pixel of the same column, at most `most`
 */
function stepsUpAndDown(isSource, width, height, most) {
  const steps = new Uint8Array(width * height);
  for (let i = 0; i < width; i += 1) steps[i] = isSource(i) ? 0 : most;
  for (let i = width; i < steps.length; i += 1) {
    steps[i] = isSource(i) ? 0 : Math.min(most, /** @type {number} */ (steps[i - width]) + 1);
  }
  for (let i = steps.length - width - 1; i >= 0; i -= 1) {
    const below = /** @type {number} */ (steps[i + width]) + 1;
    if (below < /** @type {number} */ (steps[i])) steps[i] = below;
  }
  return steps;
}

/** So many rings make the soft edge; more of them look the same. */
const RINGS = 12;
const FAINTEST = 40;

/**
 * How near each pixel lies to the hole, for the preview of what growing would add.
 *
 * @param {Uint8Array} data one byte a pixel, anything but 0 is hole
 * @param {number} width
 * @param {number} height
 * @param {number} distance 1 to 250 pixels
 * @returns {Uint8ClampedArray<ArrayBuffer>} one byte a pixel: 0 in the hole and beyond the distance, between them fading
 *   from 255 beside the hole
 */
export function softEdge(data, width, height, distance) {
  const strength = new Uint8ClampedArray(width * height);
  const rings = Math.min(RINGS, distance);
  // From the outside in, each ring over the one before.
  for (let ring = rings; ring >= 1; ring -= 1) {
    const value = 255 - ((255 - FAINTEST) * (ring - 1)) / rings;
    const runs = runsWithin(data, width, height, Math.ceil((distance * ring) / rings), false);
    for (let i = 0; i < runs.length; i += 3) {
      const row = /** @type {number} */ (runs[i]) * width;
      strength.fill(value, row + /** @type {number} */ (runs[i + 1]), row + /** @type {number} */ (runs[i + 2]));
    }
  }
  return strength;
}
