/** Rectangles and the viewport: where photo pixels lie on the stage. Nothing here touches the document. */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Rect right and bottom are exclusive */
/** @typedef {{x: number, y: number}} Point */

/** @type {Readonly<Rect>} */
export const EMPTY = Object.freeze({ left: 0, top: 0, right: 0, bottom: 0 });

/** @param {Rect} rect */
export function isEmpty(rect) {
  return rect.right <= rect.left || rect.bottom <= rect.top;
}

/**
 * @param {Rect} a
 * @param {Rect} b
 * @returns {Rect} the smallest rectangle around both; an empty one does not count
 */
export function union(a, b) {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/**
 * @param {Rect} a
 * @param {Rect} b
 * @returns {Rect} what both share, or an empty rectangle
 */
export function intersect(a, b) {
  const shared = {
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  };
  return isEmpty(shared) ? { ...EMPTY } : shared;
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/**
 * Brush sizes grow by ratio, not by step, so that the slider is as fine for a wire as for a house.
 *
 * @param {number} size photo pixels
 * @param {number} most
 * @returns {number} 0 to 100
 */
export function sizeToSlider(size, most) {
  return (Math.log(size) / Math.log(most)) * 100;
}

/**
 * @param {number} slider 0 to 100
 * @param {number} most photo pixels
 * @returns {number} whole photo pixels, at least 1
 */
export function sliderToSize(slider, most) {
  return clamp(Math.round(most ** (slider / 100)), 1, most);
}

export const MAX_SCALE = 32;
const FIT_MARGIN = 0.97;
/** Photos smaller than this are shown with this long side, in CSS pixels. */
const WORKABLE_SIDE = 320;
/** So much of the photo always stays on the stage, in stage pixels. */
const KEEP_VISIBLE = 48;

/**
 * Scale and place of the photo on the stage, in CSS pixels. `scale` is CSS pixels per photo pixel, (x, y) the stage
 * position of the photo's top left corner.
 */
export class Viewport {
  /**
   * @param {number} photoWidth
   * @param {number} photoHeight
   */
  constructor(photoWidth, photoHeight) {
    this.photoWidth = photoWidth;
    this.photoHeight = photoHeight;
    this.stageWidth = 1;
    this.stageHeight = 1;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    /** Whether the photo follows the stage's size; any zoom or pan by hand ends that. */
    this.fitted = true;
  }

  /** @returns {number} the scale at which the whole photo is seen; only tiny photos are blown up, to be worked on */
  get fitScale() {
    const scale = Math.min(this.stageWidth / this.photoWidth, this.stageHeight / this.photoHeight) * FIT_MARGIN;
    return Math.min(clamp(WORKABLE_SIDE / Math.max(this.photoWidth, this.photoHeight), 1, MAX_SCALE), scale);
  }

  /** @returns {number} */
  get minScale() {
    return Math.min(this.fitScale, 1) / 4;
  }

  fit() {
    this.scale = this.fitScale;
    this.x = (this.stageWidth - this.photoWidth * this.scale) / 2;
    this.y = (this.stageHeight - this.photoHeight * this.scale) / 2;
    this.fitted = true;
  }

  /**
   * The stage has a new size. A fitted photo is fitted again; otherwise the photo point at the middle stays there.
   *
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    const middle = this.toPhoto({ x: this.stageWidth / 2, y: this.stageHeight / 2 });
    this.stageWidth = Math.max(1, width);
    this.stageHeight = Math.max(1, height);
    if (this.fitted) {
      this.fit();
      return;
    }
    this.x = this.stageWidth / 2 - middle.x * this.scale;
    this.y = this.stageHeight / 2 - middle.y * this.scale;
    this.#keepInReach();
  }

  /**
   * @param {number} scale
   * @param {Point} [at] stage point that keeps its photo point; the middle by default
   */
  zoomTo(scale, at = { x: this.stageWidth / 2, y: this.stageHeight / 2 }) {
    const photo = this.toPhoto(at);
    this.scale = clamp(scale, this.minScale, MAX_SCALE);
    this.x = at.x - photo.x * this.scale;
    this.y = at.y - photo.y * this.scale;
    this.fitted = false;
    this.#keepInReach();
  }

  /**
   * @param {number} factor
   * @param {Point} [at]
   */
  zoomBy(factor, at) {
    this.zoomTo(this.scale * factor, at);
  }

  /**
   * @param {number} dx CSS pixels
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.#keepInReach();
  }

  /**
   * @param {Point} point on the stage
   * @returns {Point} in photo pixels
   */
  toPhoto(point) {
    return { x: (point.x - this.x) / this.scale, y: (point.y - this.y) / this.scale };
  }

  /**
   * @param {Point} point in photo pixels
   * @returns {Point} on the stage
   */
  toStage(point) {
    return { x: point.x * this.scale + this.x, y: point.y * this.scale + this.y };
  }

  /** @returns {Rect} the part of the photo that can be seen, in whole photo pixels */
  visible() {
    const first = this.toPhoto({ x: 0, y: 0 });
    const last = this.toPhoto({ x: this.stageWidth, y: this.stageHeight });
    return intersect(
      { left: Math.floor(first.x), top: Math.floor(first.y), right: Math.ceil(last.x), bottom: Math.ceil(last.y) },
      { left: 0, top: 0, right: this.photoWidth, bottom: this.photoHeight },
    );
  }

  #keepInReach() {
    const width = this.photoWidth * this.scale;
    const height = this.photoHeight * this.scale;
    this.x = clamp(this.x, Math.min(KEEP_VISIBLE - width, 0), Math.max(this.stageWidth - KEEP_VISIBLE, 0));
    this.y = clamp(this.y, Math.min(KEEP_VISIBLE - height, 0), Math.max(this.stageHeight - KEEP_VISIBLE, 0));
  }
}
