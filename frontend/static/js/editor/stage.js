/**
 * The stage: photo, mask and cursor as three canvases, each drawn again only when it changed, once a frame.
 *
 * Moving the cursor never redraws the photo; painting redraws only the stroke's rectangle of the mask.
 */

import { EMPTY, intersect, isEmpty, union } from "./geometry.js";
import { flatTone, paintFlat, paintStitches, toDevice } from "./mask-painter.js";
import { drawOrigin, drawRing, drawSketch } from "./cursor-painter.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Viewport} Viewport */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */
/** @typedef {{bitmap: ImageBitmap, box: [number, number, number, number]}} PreviewPicture */
/** @typedef {import("./cursor-painter.js").Origin} Origin */
/** @typedef {import("./tools/tool.js").Sketch} Sketch */

const BAND_ROWS = 160;
const STITCH_FRAME_MS = 90;
const CHECKER = 12;

export class Stage {
  /**
   * @param {{photo: HTMLCanvasElement, mask: HTMLCanvasElement, cursor: HTMLCanvasElement}} layers
   * @param {HTMLElement} element
   * @param {Viewport} viewport
   * @param {MaskRaster} mask
   */
  constructor(layers, element, viewport, mask) {
    this.element = element;
    this.layers = layers;
    this.viewport = viewport;
    this.mask = mask;
    this.photoContext = context(layers.photo);
    this.maskContext = context(layers.mask);
    this.cursorContext = context(layers.cursor);
    /** @type {ImageBitmap | null} */
    this.photo = null;
    /** @type {ImageBitmap | null} */
    this.before = null;
    /** @type {number | null} share of the photo's width that shows what was before */
    this.split = null;
    this.peek = false;
    /** @type {PreviewPicture | null} */
    this.preview = null;
    this.weaving = false;
    /** @type {{at: Point, radius: number, erase: boolean} | null} radius in photo pixels */
    this.ring = null;
    /** An outline that is not mask yet. @type {Sketch | null} */
    this.sketch = null;
    /** Where the spot under the pointer came from. @type {Origin | null} */
    this.origin = null;
    /** One of a result's inner pictures, over the photo. @type {(PreviewPicture & {opacity: number}) | null} */
    this.overlay = null;
    /** What growing the mask would add. @type {PreviewPicture | null} */
    this.edge = null;
    /** Another version, as long as the pointer rests on it. @type {ImageBitmap | null} */
    this.glimpse = null;
    this.tone = flatTone("#e23428", 0.5);
    /** @type {() => void} called after each change of the viewport or size, before drawing */
    this.onView = () => undefined;

    this.ratio = 1;
    this.checker = checkerboard(this.photoContext);
    /** @type {Rect} photo pixels of the mask that wait to be drawn */
    this.dirtyMask = { ...EMPTY };
    this.needs = { photo: true, mask: true, cursor: true };
    this.frame = 0;
    this.phase = 0;
    this.stitchTimer = 0;
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.#measure()).observe(element);
    this.#measure();
  }

  /** Zoom or pan changed. */
  viewChanged() {
    this.onView();
    this.#ask({ photo: true, mask: true, cursor: true });
  }

  photoChanged() {
    this.#ask({ photo: true });
  }

  /** @param {Rect} [rect] photo pixels; everything without it */
  maskChanged(rect) {
    if (rect && !this.weaving) {
      this.dirtyMask = union(this.dirtyMask, rect);
      this.#ask({});
    } else {
      this.#ask({ mask: true });
    }
  }

  /**
   * @param {string} colour as in “#e23428”
   * @param {number} opacity 0 to 1
   */
  setTone(colour, opacity) {
    this.tone = flatTone(colour, opacity);
    this.maskChanged();
  }

  /** @param {ImageBitmap | null} picture */
  setGlimpse(picture) {
    if (this.glimpse === picture) return;
    this.glimpse = picture;
    this.photoChanged();
    this.maskChanged();
  }

  cursorChanged() {
    this.#ask({ cursor: true });
  }

  /**
   * While the hole is being filled its edge is stitched, and what the model shows lies inside.
   *
   * @param {boolean} weaving
   */
  setWeaving(weaving) {
    if (this.weaving === weaving) return;
    this.weaving = weaving;
    clearInterval(this.stitchTimer);
    if (weaving && !this.calm.matches) {
      this.stitchTimer = window.setInterval(() => {
        this.phase += 0.25;
        this.#ask({ mask: true });
      }, STITCH_FRAME_MS);
    }
    this.#ask({ mask: true });
  }

  /** @param {PreviewPicture | null} preview */
  setPreview(preview) {
    if (this.preview !== preview) this.preview?.bitmap.close();
    this.preview = preview;
    this.photoChanged();
  }

  /** @param {PointerEvent | WheelEvent} event @returns {Point} on the stage, CSS pixels */
  locate(event) {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {{photo?: boolean, mask?: boolean, cursor?: boolean}} what */
  #ask(what) {
    this.needs.photo ||= what.photo ?? false;
    this.needs.mask ||= what.mask ?? false;
    this.needs.cursor ||= what.cursor ?? false;
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#draw());
  }

  #measure() {
    const { clientWidth, clientHeight } = this.element;
    this.ratio = window.devicePixelRatio || 1;
    for (const layer of Object.values(this.layers)) {
      const width = Math.max(1, Math.round(clientWidth * this.ratio));
      const height = Math.max(1, Math.round(clientHeight * this.ratio));
      if (layer.width !== width) layer.width = width;
      if (layer.height !== height) layer.height = height;
    }
    this.viewport.resize(clientWidth, clientHeight);
    this.onView();
    this.needs = { photo: true, mask: true, cursor: true };
    // Drawn at once: a resized canvas is empty, and waiting for the next frame would flash.
    this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.needs.photo) this.#drawPhoto();
    if (this.needs.mask) this.#drawMask(null);
    else if (!isEmpty(this.dirtyMask)) this.#drawMask(this.dirtyMask);
    if (this.needs.cursor) this.#drawCursor();
    this.needs = { photo: false, mask: false, cursor: false };
    this.dirtyMask = { ...EMPTY };
  }

  #drawPhoto() {
    const ctx = this.photoContext;
    const { viewport, ratio, photo } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
    if (!photo) return;
    const { photoWidth, photoHeight, scale, x, y } = viewport;
    ctx.fillStyle = this.checker;
    // A little inside, or its light squares would shine through the photo's soft outermost pixels.
    ctx.fillRect(x * ratio + 1, y * ratio + 1, photoWidth * scale * ratio - 2, photoHeight * scale * ratio - 2);
    ctx.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    ctx.imageSmoothingEnabled = scale < 3;
    ctx.imageSmoothingQuality = "medium";
    const shown = this.glimpse ?? (this.peek && this.before ? this.before : photo);
    ctx.drawImage(shown, 0, 0, photoWidth, photoHeight);
    if (this.peek || this.glimpse) return;
    if (this.preview) drawInBox(ctx, this.preview);
    if (this.overlay) {
      ctx.globalAlpha = this.overlay.opacity;
      drawInBox(ctx, this.overlay);
      ctx.globalAlpha = 1;
    }
    if (this.edge) drawInBox(ctx, this.edge);
    if (this.split !== null && this.before) {
      ctx.save();
      ctx.beginPath();
      ctx.rect(0, 0, photoWidth * this.split, photoHeight);
      ctx.clip();
      ctx.drawImage(this.before, 0, 0, photoWidth, photoHeight);
      ctx.restore();
    }
  }

  /** @param {Rect | null} rect photo pixels that changed; everything for null */
  #drawMask(rect) {
    const ctx = this.maskContext;
    const { mask, viewport, ratio } = this;
    if (!rect) ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
    if (this.peek || this.glimpse) return;
    const area = toDevice(rect ?? intersect(mask.extent, viewport.visible()), viewport, ratio, 2);
    if (isEmpty(area)) return;
    const width = area.right - area.left;
    const band = new ImageData(width, Math.min(BAND_ROWS, area.bottom - area.top));
    const words = new Uint32Array(band.data.buffer);
    for (let top = area.top; top < area.bottom; top += BAND_ROWS) {
      const part = { ...area, top, bottom: Math.min(area.bottom, top + BAND_ROWS) };
      if (this.weaving) paintStitches(mask, viewport, ratio, part, words, this.phase);
      else paintFlat(mask, viewport, ratio, part, words, this.tone);
      ctx.putImageData(band, area.left, top, 0, 0, width, part.bottom - top);
    }
  }

  #drawCursor() {
    const ctx = this.cursorContext;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (this.origin) drawOrigin(ctx, this.viewport, this.origin);
    if (this.sketch) drawSketch(ctx, this.viewport, this.sketch);
    if (this.ring) drawRing(ctx, this.viewport, this.ring);
  }
}

/**
 * @param {CanvasRenderingContext2D} ctx in photo pixels
 * @param {PreviewPicture} picture
 */
function drawInBox(ctx, { bitmap, box: [left, top, right, bottom] }) {
  ctx.drawImage(bitmap, left, top, right - left, bottom - top);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
function context(canvas) {
  const ctx = canvas.getContext("2d");
  if (!ctx) throw new Error("This browser cannot draw on a canvas.");
  return ctx;
}

/**
 * What shows through where a photo is transparent.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @returns {CanvasPattern | string}
 */
function checkerboard(ctx) {
  const tile = new OffscreenCanvas(CHECKER * 2, CHECKER * 2);
  const draw = tile.getContext("2d");
  if (!draw) return "#c9ccd8";
  draw.fillStyle = "#e6e8ee";
  draw.fillRect(0, 0, CHECKER * 2, CHECKER * 2);
  draw.fillStyle = "#c4c8d4";
  draw.fillRect(0, 0, CHECKER, CHECKER);
  draw.fillRect(CHECKER, CHECKER, CHECKER, CHECKER);
  return ctx.createPattern(tile, "repeat") ?? "#c9ccd8";
}
