/**
 * Turn the mask raster into screen pixels. It samples the raster where each device pixel lies, so the edge is exact at
 * every zoom and no second bitmap of the photo's size is needed; only what the mask covers is ever visited.
 */

import { intersect, isEmpty } from "./geometry.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Viewport} Viewport */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */

const DASH = 7;

/**
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 * @param {number} alpha 0 to 1
 * @returns {number} one pixel of ImageData seen as a little-endian word
 */
function word(red, green, blue, alpha) {
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * One flat tone, however often a spot is painted over.
 *
 * @param {string} colour as in “#e23428”
 * @param {number} opacity 0 to 1
 * @returns {number[]} the tone by how many of the four samples of a device pixel lie in the hole
 */
export function flatTone(colour, opacity) {
  const value = Number.parseInt(colour.slice(1), 16);
  return [0, 0.25, 0.5, 0.75, 1].map((share) => word(value >> 16, (value >> 8) & 255, value & 255, opacity * share));
}

const STITCH = word(255, 255, 255, 0.95);
const CLOTH = word(26, 33, 64, 0.55);

/**
 * Where a rectangle of the photo lies on the canvas, in device pixels, one pixel wider on each side.
 *
 * @param {Rect} rect photo pixels
 * @param {Viewport} viewport
 * @param {number} ratio device pixels per CSS pixel
 * @param {number} margin device pixels
 * @returns {Rect}
 */
export function toDevice(rect, viewport, ratio, margin = 1) {
  if (isEmpty(rect)) return { left: 0, top: 0, right: 0, bottom: 0 };
  const first = viewport.toStage({ x: rect.left, y: rect.top });
  const last = viewport.toStage({ x: rect.right, y: rect.bottom });
  return intersect(
    {
      left: Math.floor(first.x * ratio) - margin,
      top: Math.floor(first.y * ratio) - margin,
      right: Math.ceil(last.x * ratio) + margin,
      bottom: Math.ceil(last.y * ratio) + margin,
    },
    { left: 0, top: 0, right: Math.round(viewport.stageWidth * ratio), bottom: Math.round(viewport.stageHeight * ratio) },
  );
}

/**
 * Photo columns (or rows) that the device pixels from `from` to `to` show; -1 outside the photo.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} origin where the photo begins on the stage, CSS pixels
 * @param {number} scale
 * @param {number} ratio
 * @param {number} shift within the device pixel, 0.5 = its centre
 * @param {number} length of the photo
 * @returns {Int32Array}
 */
function lookup(from, to, origin, scale, ratio, shift, length) {
  const places = new Int32Array(to - from);
  for (let i = 0; i < places.length; i += 1) {
    const place = Math.floor(((from + i + shift) / ratio - origin) / scale);
    places[i] = place >= 0 && place < length ? place : -1;
  }
  return places;
}

/**
 * The flat overlay.
 *
 * @param {MaskRaster} mask
 * @param {Viewport} viewport
 * @param {number} ratio
 * @param {Rect} area device pixels
 * @param {Uint32Array} pixels area's width × height; every one is written
 * @param {number[]} tone of `flatTone`
 */
export function paintFlat(mask, viewport, ratio, area, pixels, tone) {
  const { data, width, height } = mask;
  const { x, y, scale } = viewport;
  const columns = area.right - area.left;
  const full = /** @type {number} */ (tone[4]);
  if (scale * ratio >= 1) {
    const xs = lookup(area.left, area.right, x, scale, ratio, 0.5, width);
    const ys = lookup(area.top, area.bottom, y, scale, ratio, 0.5, height);
    for (let j = 0; j < ys.length; j += 1) {
      const row = /** @type {number} */ (ys[j]) * width;
      for (let i = 0; i < columns; i += 1) {
        const column = /** @type {number} */ (xs[i]);
        pixels[j * columns + i] = row >= 0 && column >= 0 && data[row + column] !== 0 ? full : 0;
      }
    }
    return;
  }
  // Where the photo is shown smaller than it is, four samples a pixel keep the edge from looking torn.
  const x0 = lookup(area.left, area.right, x, scale, ratio, 0.25, width);
  const x1 = lookup(area.left, area.right, x, scale, ratio, 0.75, width);
  const y0 = lookup(area.top, area.bottom, y, scale, ratio, 0.25, height);
  const y1 = lookup(area.top, area.bottom, y, scale, ratio, 0.75, height);
  const at = (/** @type {number} */ row, /** @type {number} */ column) => (row >= 0 && column >= 0 && data[row * width + column] ? 1 : 0);
  for (let j = 0; j < y0.length; j += 1) {
    const r0 = /** @type {number} */ (y0[j]);
    const r1 = /** @type {number} */ (y1[j]);
    for (let i = 0; i < columns; i += 1) {
      const c0 = /** @type {number} */ (x0[i]);
      const c1 = /** @type {number} */ (x1[i]);
      const hits = at(r0, c0) + at(r0, c1) + at(r1, c0) + at(r1, c1);
      pixels[j * columns + i] = /** @type {number} */ (tone[hits]);
    }
  }
}

/**
 * A running stitch along the inside of the hole's edge, for while the hole is being filled.
 *
 * @param {MaskRaster} mask
 * @param {Viewport} viewport
 * @param {number} ratio
 * @param {Rect} area device pixels
 * @param {Uint32Array} pixels
 * @param {number} phase in dashes; growing makes the stitches move
 */
export function paintStitches(mask, viewport, ratio, area, pixels, phase) {
  const { data, width, height } = mask;
  const { x, y, scale } = viewport;
  const columns = area.right - area.left;
  const reach = Math.max(2, Math.round(2 * ratio));
  const dash = DASH * ratio;
  const xs = lookup(area.left - reach, area.right + reach, x, scale, ratio, 0.5, width);
  const ys = lookup(area.top - reach, area.bottom + reach, y, scale, ratio, 0.5, height);
  const at = (/** @type {number} */ j, /** @type {number} */ i) => {
    const row = /** @type {number} */ (ys[j]);
    const column = /** @type {number} */ (xs[i]);
    return row >= 0 && column >= 0 && data[row * width + column] !== 0;
  };
  for (let j = 0; j < area.bottom - area.top; j += 1) {
    for (let i = 0; i < columns; i += 1) {
      const cj = j + reach;
      const ci = i + reach;
      let colour = 0;
      if (at(cj, ci) && !(at(cj - reach, ci) && at(cj + reach, ci) && at(cj, ci - reach) && at(cj, ci + reach))) {
        const along = (area.left + i + area.top + j) / dash + phase;
        colour = along - Math.floor(along / 2) * 2 < 1.2 ? STITCH : CLOTH;
      }
      pixels[j * columns + i] = colour;
    }
  }
}
