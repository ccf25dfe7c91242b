/**
 * A soft band around the hole: what growing the mask by the chosen number of pixels would add. It is only a picture.
 * Fills are put back exactly where the mask is, so an edge that shows is helped by more mask, never by a blur over
 * pixels that are to stay as they are.
 */

import { sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { intersect, isEmpty } from "./geometry.js";
import { preference } from "./preferences.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */

/** The band is looked at, not sent: so many pixels are enough for any screen. */
const MOST_PIXELS = 1.5e6;

/**
 * The mask inside a box, at most `MOST_PIXELS` large: every so many pixels one is taken.
 *
 * @param {MaskRaster} mask
 * @param {Rect} box
 * @param {number} [most]
 * @returns {{data: Uint8Array, width: number, height: number, step: number}} `step` photo pixels are one pixel here
 */
export function reduced(mask, { left, top, right, bottom }, most = MOST_PIXELS) {
  const step = Math.max(1, Math.ceil(Math.sqrt(((right - left) * (bottom - top)) / most)));
  const width = Math.ceil((right - left) / step);
  const height = Math.ceil((bottom - top) / step);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const row = Math.min(bottom - 1, top + y * step + (step >> 1)) * mask.width;
    for (let x = 0; x < width; x += 1) {
      data[y * width + x] = /** @type {number} */ (mask.data[row + Math.min(right - 1, left + x * step + (step >> 1))]);
    }
  }
  return { data, width, height, step };
}

/**
 * @param {Uint8ClampedArray} strength of `softEdge`
 * @param {string} colour as in “#e23428”
 * @param {number} opacity 0 to 1
 * @returns {Uint8ClampedArray<ArrayBuffer>} four bytes a pixel
 */
export function tinted(strength, colour, opacity) {
  const value = Number.parseInt(colour.slice(1), 16);
  const rgba = new Uint8ClampedArray(strength.length * 4);
  for (const [i, share] of strength.entries()) {
    if (share === 0) continue;
    rgba[i * 4] = value >> 16;
    rgba[i * 4 + 1] = (value >> 8) & 255;
    rgba[i * 4 + 2] = value & 255;
    rgba[i * 4 + 3] = share * opacity;
  }
  return rgba;
}

export class EdgePreview {
  /**
   * @param {import("./editor.js").Editor} editor
   * @param {import("./heavy.js").Heavy} heavy
   */
  constructor(editor, heavy) {
    this.editor = editor;
    this.heavy = heavy;
    this.on = false;
    /** What the band on show was made from. */
    this.shown = "";
    this.busy = false;
  }

  toggle() {
    this.on = !this.on;
    const distance = preference("reach");
    this.editor.say(this.on ? `Edge of ${distance} pixels shown; Grow makes it part of the mask.` : "Edge hidden.");
    this.editor.changed();
  }

  /** Make the band anew when the mask, the distance or the colour is another one; called after every change. */
  follow() {
    const { mask, locked, empty } = this.editor;
    const wanted =
      this.on && !locked && !empty
        ? [mask.revision, preference("reach"), preference("maskColour"), preference("maskOpacity")].join()
        : "";
    if (wanted === this.shown || this.busy) return;
    this.shown = wanted;
    if (wanted === "") this.#show(null);
    else void this.#make();
  }

  async #make() {
    const { mask } = this.editor;
    const distance = preference("reach");
    const { extent } = mask.measure();
    const box = intersect(mask.bounds, {
      left: extent.left - distance,
      top: extent.top - distance,
      right: extent.right + distance,
      bottom: extent.bottom + distance,
    });
    if (isEmpty(box)) return;
    this.busy = true;
    try {
      const { data, width, height, step } = reduced(mask, box);
      const strength = await this.heavy.softEdge(data, width, height, Math.max(1, Math.round(distance / step)));
      const pixels = tinted(strength, preference("maskColour"), preference("maskOpacity"));
      const bitmap = await createImageBitmap(new ImageData(pixels, width, height));
      this.#show({ bitmap, box: [box.left, box.top, box.left + width * step, box.top + height * step] });
    } catch (error) {
      this.on = false;
      toast(sentence(error), "error");
    } finally {
      this.busy = false;
      // What changed meanwhile is followed with the next frame.
      this.editor.changed();
    }
  }

  /** @param {import("./stage.js").PreviewPicture | null} band */
  #show(band) {
    const { stage } = this.editor;
    stage.edge?.bitmap.close();
    stage.edge = band;
    stage.photoChanged();
  }
}
