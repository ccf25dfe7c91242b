/** The before/after slider on the stage, for pointer and keyboard. Its place is a share of the photo's width. */

import { byId } from "../lib/dom.js";
import { clamp } from "./geometry.js";

/** @typedef {import("./stage.js").Stage} Stage */

const STEP = 0.02;
const LEAP = 0.1;

export class Compare {
  /**
   * @param {Stage} stage
   * @param {{before: () => Promise<ImageBitmap | null>, middle: () => Promise<number>, onChange: () => void}} editor
   *   `before` gives the picture that the one on show was made from, `middle` where its hole was, as a share of the width
   */
  constructor(stage, editor) {
    this.stage = stage;
    this.editor = editor;
    this.handle = byId("split", HTMLElement);
    this.tags = [byId("tag-before", HTMLElement), byId("tag-after", HTMLElement)];
    this.handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.handle.focus({ preventScroll: true });
      this.handle.setPointerCapture(event.pointerId);
    });
    this.handle.addEventListener("pointermove", (event) => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      this.#moveTo(stage.viewport.toPhoto(stage.locate(event)).x / stage.viewport.photoWidth);
    });
    this.handle.addEventListener("keydown", (event) => this.#key(event));
  }

  get open() {
    return this.stage.split !== null;
  }

  /**
   * @param {ImageBitmap} before
   * @param {number} at share of the photo's width to begin at
   */
  show(before, at) {
    this.stage.before = before;
    this.handle.hidden = false;
    for (const tag of this.tags) tag.hidden = false;
    this.#moveTo(at);
    this.editor.onChange();
  }

  async toggle() {
    if (this.open) {
      this.close();
      return;
    }
    const { photo } = this.stage;
    const [before, middle] = await Promise.all([this.editor.before(), this.editor.middle()]);
    if (before && this.stage.photo === photo) this.show(before, middle);
  }

  /** @param {boolean} on see the whole of what was before, as long as it is held */
  async peek(on) {
    const before = on ? await this.editor.before() : null;
    if (before) this.stage.before = before;
    this.stage.peek = before !== null;
    this.stage.photoChanged();
    this.stage.maskChanged();
  }

  close() {
    if (!this.open) return;
    this.stage.split = null;
    this.handle.hidden = true;
    for (const tag of this.tags) tag.hidden = true;
    this.stage.photoChanged();
    this.editor.onChange();
  }

  /** Put the handle where the split lies now; called after each zoom and pan. */
  place() {
    const { split, viewport } = this.stage;
    if (split === null) return;
    const x = viewport.toStage({ x: split * viewport.photoWidth, y: 0 }).x;
    this.handle.style.transform = `translateX(${clamp(x, 0, viewport.stageWidth)}px)`;
  }

  /** @param {number} share */
  #moveTo(share) {
    this.stage.split = clamp(share, 0, 1);
    const percent = Math.round(this.stage.split * 100);
    this.handle.setAttribute("aria-valuenow", String(percent));
    this.handle.setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
    this.place();
    this.stage.photoChanged();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = this.stage.split ?? 0.5;
    const moves = /** @type {Record<string, number>} */ ({
      ArrowLeft: at - STEP,
      ArrowDown: at - STEP,
      ArrowRight: at + STEP,
      ArrowUp: at + STEP,
      PageDown: at - LEAP,
      PageUp: at + LEAP,
      Home: 0,
      End: 1,
    });
    const share = moves[event.key];
    if (share === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#moveTo(share);
  }
}
