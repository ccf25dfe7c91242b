/** The hand on the stage: which tool it holds, how large the brush is, and what a gesture does to the mask. */

import { clamp } from "./geometry.js";
import { PointerInput } from "./pointers.js";

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./mask-session.js").MaskSession} MaskSession */
/** @typedef {import("./pointers.js").Sample} Sample */
/** @typedef {import("./stage.js").Stage} Stage */
/** @typedef {import("./tools/tool.js").Tool} Tool */
/** @typedef {import("./tools/tool.js").Dab} Dab */

export const MAX_BRUSH = 600;
/** CSS pixels by which a click may miss a corner. */
const SLACK = 8;

/**
 * @typedef {object} Desk what the hand works on
 * @property {MaskSession} session
 * @property {Stage} stage
 * @property {() => boolean} locked
 * @property {() => void} begins a gesture that paints begins
 * @property {(added: boolean) => void} painted a gesture changed the mask; whether it added to the hole
 * @property {() => void} changed buttons and labels may have to follow
 * @property {(factor: number, at: Point) => void} zoom
 * @property {(at: Point | null) => void} looks where the pointer is
 */

export class Hand {
  /**
   * @param {Desk} desk
   * @param {Tool[]} tools the first one is held at the beginning
   * @param {number} brushSize photo pixels
   */
  constructor(desk, tools, brushSize) {
    const [first] = tools;
    if (!first) throw new Error("A hand needs a tool.");
    this.desk = desk;
    this.tools = new Map(tools.map((tool) => [tool.id, tool]));
    /** @type {Tool} */
    this.tool = first;
    this.brushSize = brushSize;
    this.spaceHeld = false;
    /** @type {{at: Point, erase: boolean} | null} */
    this.hover = null;
    this.painting = false;
    this.revision = 0;
    this.erase = false;
    const { stage } = desk;
    this.input = new PointerInput({
      pans: () => this.spaceHeld || !this.tool.paints,
      locked: () => desk.locked(),
      down: (sample) => this.#down(this.#dab(sample)),
      move: (samples) => this.#move(samples.map((sample) => this.#dab(sample))),
      up: () => this.#up(),
      cancel: () => this.#cancelStroke(),
      pan: (dx, dy) => {
        stage.viewport.pan(dx, dy);
        stage.viewChanged();
      },
      zoom: (factor, at) => desk.zoom(factor, at),
      hover: (at, erase) => {
        this.hover = at ? { at, erase } : null;
        if (at) this.tool.hover?.(this.#dab({ point: at, pressure: 1, erase }));
        desk.looks(at);
        this.show();
      },
      dragging: (dragging) => stage.element.classList.toggle("is-dragging", dragging),
      resize: (larger) => this.stepBrush(larger),
    });
  }

  /** @param {string} name */
  choose(name) {
    const tool = this.tools.get(name);
    if (!tool) throw new Error(`There is no tool “${name}”.`);
    if (tool !== this.tool) this.putDown();
    this.tool = tool;
    this.show();
    this.desk.changed();
  }

  /** @param {boolean} held whether Space turns the main button into a hand */
  hold(held) {
    if (this.spaceHeld === held) return;
    this.spaceHeld = held;
    this.show();
  }

  /** @param {number} size photo pixels */
  setBrush(size) {
    this.brushSize = clamp(Math.round(size), 1, MAX_BRUSH);
    this.show();
    this.desk.changed();
  }

  /** @param {boolean} larger */
  stepBrush(larger) {
    const step = Math.max(1, Math.round(this.brushSize * 0.15));
    this.setBrush(this.brushSize + (larger ? step : -step));
  }

  get pending() {
    return this.tool.pending?.() ?? false;
  }

  /** Close an outline that was begun by clicks. */
  finish() {
    const { tool, desk } = this;
    if (!this.pending || !tool.finish || desk.locked()) return;
    this.#begin();
    desk.stage.maskChanged(tool.finish(desk.session.raster));
    this.#end();
  }

  stepBack() {
    this.tool.stepBack?.();
    this.show();
    this.desk.changed();
  }

  /** Forget what was begun. */
  putDown() {
    if (this.painting) this.#cancelStroke();
    this.tool.cancel();
    this.show();
    this.desk.changed();
  }

  /**
   * A gesture by keyboard, from point to point.
   *
   * @param {"down" | "move" | "up"} what
   * @param {Point} point photo pixels
   */
  byKey(what, point) {
    if (this.desk.locked() && !this.painting) return;
    const dab = { ...point, radius: this.brushSize / 2, erase: false, slack: 0.5 };
    if (what === "down") this.#down(dab);
    else if (!this.painting) return;
    else if (what === "move") this.#move([dab]);
    else this.#up();
  }

  /** Ring, outline and mouse cursor as they should be now. */
  show() {
    const { stage } = this.desk;
    const locked = this.desk.locked();
    const paints = this.tool.paints && !this.spaceHeld && !locked;
    const erase = (this.hover?.erase ?? false) || this.tool.erases;
    stage.ring = paints && this.tool.round && this.hover ? { at: this.hover.at, radius: this.brushSize / 2, erase } : null;
    stage.sketch = this.tool.sketch?.() ?? null;
    stage.element.classList.toggle("hides-cursor", paints && this.tool.round);
    stage.element.classList.toggle("has-cross", paints && !this.tool.round);
    stage.element.classList.toggle("is-panning", !locked && !paints);
    stage.element.classList.toggle("is-locked", locked);
    stage.cursorChanged();
  }

  /** @param {Dab} dab */
  #down(dab) {
    this.desk.begins();
    this.#begin();
    this.erase = dab.erase !== this.tool.erases;
    this.desk.stage.maskChanged(this.tool.down(this.desk.session.raster, dab));
    this.show();
  }

  /** @param {Dab[]} dabs */
  #move(dabs) {
    this.desk.stage.maskChanged(this.tool.move(this.desk.session.raster, dabs));
  }

  #up() {
    this.desk.stage.maskChanged(this.tool.up(this.desk.session.raster));
    this.#end();
  }

  #begin() {
    const { session } = this.desk;
    this.painting = true;
    this.revision = session.raster.revision;
    session.undoStack.begin(this.tool.label);
  }

  #end() {
    const { session } = this.desk;
    this.painting = false;
    session.undoStack.commit();
    if (session.raster.revision !== this.revision) {
      session.edited();
      this.desk.painted(!this.erase);
    }
    this.show();
    this.desk.changed();
  }

  #cancelStroke() {
    const { session, stage } = this.desk;
    this.painting = false;
    this.tool.cancel();
    stage.maskChanged(session.undoStack.abandon());
    session.edited();
    this.show();
  }

  /**
   * @param {Sample} sample
   * @returns {Dab}
   */
  #dab({ point, pressure, erase }) {
    const { viewport } = this.desk.stage;
    const at = viewport.toPhoto(point);
    return { ...at, radius: (this.brushSize / 2) * (0.25 + 0.75 * pressure), erase, slack: SLACK / viewport.scale };
  }
}
