/** The editor: brings photo, mask, hands and the running fill together. It owns the state; the parts own their looks. */

import { byId } from "../lib/dom.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { Compare } from "./compare.js";
import { clamp, Viewport } from "./geometry.js";
import { HistoryStrip } from "./history-strip.js";
import { MaskSession } from "./mask-session.js";
import { Panel } from "./panel.js";
import { PhotoStore } from "./photo-store.js";
import { decodeGrey } from "./png.js";
import { PointerInput } from "./pointers.js";
import { ResultView } from "./result-view.js";
import { Run } from "./run.js";
import { Stage } from "./stage.js";
import { Brush } from "./tools/brush.js";
import { PAN } from "./tools/pan.js";
import { lastOpened, rememberOpened } from "./version-memory.js";

/** @typedef {import("../types.js").Boot} Boot */
/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */
/** @typedef {import("./pointers.js").Sample} Sample */
/** @typedef {import("./tools/tool.js").Tool} Tool */
/** @typedef {import("./tools/tool.js").Dab} Dab */

export const MAX_BRUSH = 600;

export class Editor {
  /** @param {Boot} boot */
  constructor(boot) {
    const { picture } = boot;
    const first = picture.versions[0];
    if (!first) throw new Error("A picture without versions cannot be edited.");
    this.boot = boot;
    this.picture = picture;
    this.current = lastOpened(picture.id, picture.versions) ?? picture.versions[picture.versions.length - 1] ?? first;
    /** Versions left by undoing a result, for redo. @type {Version[]} */
    this.forward = [];
    this.session = new MaskSession(picture.width, picture.height, {
      onEdited: () => this.changed(),
      onNoDrafts: () => toast("This browser cannot keep drafts: an unfinished mask will not survive a reload."),
    });
    this.mask = this.session.raster;
    this.undoStack = this.session.undoStack;
    this.viewport = new Viewport(picture.width, picture.height);
    this.element = byId("stage", HTMLElement);
    this.message = byId("stage-message", HTMLElement);
    this.status = byId("stage-status", HTMLElement);
    this.stage = new Stage(
      {
        photo: byId("layer-photo", HTMLCanvasElement),
        mask: byId("layer-mask", HTMLCanvasElement),
        cursor: byId("layer-cursor", HTMLCanvasElement),
      },
      this.element,
      this.viewport,
      this.mask,
    );
    /** @type {Record<string, Tool>} */
    this.tools = { brush: new Brush("brush", "stroke", false), eraser: new Brush("eraser", "erasing", true), pan: PAN };
    /** @type {Tool} */
    this.tool = /** @type {Tool} */ (this.tools.brush);
    this.brushSize = clamp(Math.round(Math.max(picture.width, picture.height) / 32), 6, 240);
    this.spaceHeld = false;
    /** @type {{at: Point, erase: boolean} | null} */
    this.hover = null;
    this.photos = new PhotoStore();
    this.loading = true;
    /** @type {() => void} */
    this.onChange = () => undefined;

    this.compare = new Compare(this.stage, {
      before: () => this.#beforeBitmap(),
      onChange: () => this.changed(),
    });
    this.panel = new Panel(boot.models);
    this.result = new ResultView(boot.models);
    this.strip = new HistoryStrip((version) => void this.go(version));
    this.stage.onView = () => {
      this.compare.place();
      this.#showRing();
      this.changed();
    };
    this.input = new PointerInput({
      pans: () => this.spaceHeld || !this.tool.paints,
      locked: () => this.locked,
      down: (sample) => this.#down(sample),
      move: (samples) => this.#paint(this.tool.move(this.mask, samples.map((sample) => this.#dab(sample)))),
      up: () => this.#up(),
      cancel: () => this.#cancelStroke(),
      pan: (dx, dy) => {
        this.viewport.pan(dx, dy);
        this.stage.viewChanged();
      },
      zoom: (factor, at) => this.zoomBy(factor, at),
      hover: (at, erase) => {
        this.hover = at ? { at, erase } : null;
        this.#showRing();
      },
      dragging: (dragging) => this.element.classList.toggle("is-dragging", dragging),
    });
    this.run = new Run(boot, {
      onActive: (job) => {
        this.compare.close();
        this.result.hide();
        this.stage.setWeaving(true);
        const source = this.picture.versions.find((version) => version.id === job.source);
        if (source && source !== this.current) void this.go(source);
        this.changed();
      },
      onPreview: (preview) => this.stage.setPreview(preview),
      onDone: (job) => this.#takeResult(job.result),
      onFree: () => {
        this.stage.setWeaving(false);
        this.stage.setPreview(null);
        this.changed();
      },
    });
  }

  /** Whether the mask may not be changed now. */
  get locked() {
    return this.run.busy || this.loading;
  }

  get empty() {
    return this.session.empty;
  }

  /** Show the picture as it was left, with the mask that was being painted. */
  async open() {
    await this.go(this.current);
  }

  changed() {
    this.onChange();
  }

  /**
   * Go to a version and bring back the mask that was begun on it.
   *
   * @param {Version} version
   */
  async go(version) {
    this.loading = true;
    this.current = version;
    rememberOpened(this.picture.id, version.id);
    this.compare.close();
    this.changed();
    try {
      const bitmap = await this.photos.load(version);
      if (this.current !== version) return;
      this.stage.photo = bitmap;
      this.stage.photoChanged();
      this.message.textContent = "";
    } catch (error) {
      if (this.current !== version) return;
      this.message.textContent = sentence(error);
    }
    await this.session.open(version.id);
    if (this.current !== version) return;
    this.loading = false;
    this.stage.maskChanged();
    this.#showRing();
    this.strip.show(this.picture.versions, version.id);
    if (!this.run?.busy) this.result.show(version);
    this.changed();
  }

  /** @param {string} name */
  choose(name) {
    const tool = this.tools[name];
    if (!tool) throw new Error(`There is no tool “${name}”.`);
    this.tool = tool;
    this.#showRing();
    this.changed();
  }

  /** @param {number} size photo pixels */
  setBrush(size) {
    this.brushSize = clamp(Math.round(size), 1, MAX_BRUSH);
    this.#showRing();
    this.changed();
  }

  /** @param {boolean} larger */
  stepBrush(larger) {
    const step = Math.max(1, Math.round(this.brushSize * 0.15));
    this.setBrush(this.brushSize + (larger ? step : -step));
  }

  /**
   * @param {number} factor
   * @param {Point} [at]
   */
  zoomBy(factor, at) {
    this.viewport.zoomBy(factor, at);
    this.stage.viewChanged();
  }

  fit() {
    this.viewport.fit();
    this.stage.viewChanged();
  }

  actualSize() {
    this.viewport.zoomTo(1 / this.stage.ratio, this.hover?.at);
    this.stage.viewChanged();
  }

  undo() {
    if (this.undoStack.canUndo) this.#maskChanged(this.undoStack.undo(), "Undone");
    else {
      const parent = this.picture.versions.find((version) => version.id === this.current.parent);
      if (!parent) return;
      this.forward.push(this.current);
      void this.go(parent);
      this.say("Back to the version before");
    }
  }

  get canUndo() {
    return !this.locked && (this.undoStack.canUndo || this.current.parent !== null);
  }

  redo() {
    if (this.undoStack.canRedo) {
      this.#maskChanged(this.undoStack.redo(), "Done again");
      return;
    }
    const version = this.forward.pop();
    if (version) void this.go(version);
  }

  get canRedo() {
    return !this.locked && (this.undoStack.canRedo || this.forward[this.forward.length - 1]?.parent === this.current.id);
  }

  /**
   * Change the mask as a whole, as one step that can be undone.
   *
   * @param {string} label
   * @param {(mask: MaskRaster) => Rect} change
   */
  edit(label, change) {
    if (this.locked) return;
    this.#paint(this.session.edit(label, change));
    this.say(label);
  }

  /** Bring back the mask this version was made with. */
  async previousMask() {
    const url = this.current.mask_url;
    if (!url || this.locked) return;
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      if (!response.ok) throw new Error(`The mask could not be loaded (error ${response.status}).`);
      const { grey } = await decodeGrey(new Uint8Array(await response.arrayBuffer()));
      this.edit("Previous mask", (mask) => mask.replace(grey));
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "error");
    }
  }

  fill() {
    if (this.locked) return;
    if (this.empty) {
      toast("Paint over what should go first.");
      return;
    }
    const { problem, chosen } = this.panel;
    if (problem || !chosen) {
      this.run.fail(problem ?? "No model is offered here; the studio's operator has to add one.");
      return;
    }
    void this.run.submit(this.current.id, () => this.session.file(), chosen.key, this.panel.params);
  }

  get canCompare() {
    return !this.locked && this.current.parent !== null;
  }

  /** @param {string} text told to screen readers */
  say(text) {
    this.status.textContent = text;
  }

  /**
   * Paint by keyboard: a dab or a line between two points of the photo.
   *
   * @param {Point} from
   * @param {Point} to
   */
  paintLine(from, to) {
    const radius = this.brushSize / 2;
    const erase = this.tool.erases;
    this.compare.close();
    this.edit(this.tool.label, (mask) => mask.stroke({ ...from, radius }, { ...to, radius }, erase));
  }

  /** @param {Sample} sample */
  #down(sample) {
    this.compare.close();
    this.undoStack.begin(this.tool.label);
    this.#paint(this.tool.down(this.mask, this.#dab(sample)));
  }

  #up() {
    this.#paint(this.tool.up(this.mask));
    this.undoStack.commit();
    this.session.edited();
  }

  #cancelStroke() {
    this.tool.cancel();
    this.#maskChanged(this.undoStack.abandon());
  }

  /** @param {Rect} dirty */
  #paint(dirty) {
    this.stage.maskChanged(dirty);
  }

  /**
   * @param {Sample} sample
   * @returns {Dab}
   */
  #dab({ point, pressure, erase }) {
    const at = this.viewport.toPhoto(point);
    return { ...at, radius: (this.brushSize / 2) * (0.25 + 0.75 * pressure), erase };
  }

  /**
   * @param {Rect} dirty
   * @param {string} [said]
   */
  #maskChanged(dirty, said) {
    this.#paint(dirty);
    this.session.edited();
    if (said) this.say(said);
  }

  #showRing() {
    const paints = this.tool.paints && !this.spaceHeld && !this.locked;
    this.stage.ring =
      paints && this.hover
        ? { at: this.hover.at, radius: this.brushSize / 2, erase: this.hover.erase || this.tool.erases }
        : null;
    this.element.classList.toggle("hides-cursor", paints);
    this.element.classList.toggle("is-panning", !this.locked && !paints);
    this.element.classList.toggle("is-locked", this.locked);
    this.stage.cursorChanged();
  }

  /** @param {string | null} id of the new version */
  async #takeResult(id) {
    const { picture } = this;
    /** @type {import("../types.js").Picture} */
    const fresh = await call(`${this.boot.urls.api.replace(/\/$/, "")}/pictures/${picture.id}`);
    picture.versions = fresh.versions;
    const version = fresh.versions.find((entry) => entry.id === id);
    if (!version) throw new Error("The result is missing from the picture's versions.");
    const before = this.stage.photo;
    const { pixels, extent } = this.mask.measure();
    const middle = pixels > 0 ? (extent.left + extent.right) / 2 / this.mask.width : 0.5;
    // The new picture is ready before anything changes on the stage, so nothing flickers.
    const bitmap = await this.photos.load(version);
    const cleaned = this.session.finish(version.id);
    this.current = version;
    rememberOpened(picture.id, version.id);
    this.forward = [];
    this.stage.photo = bitmap;
    this.stage.setPreview(null);
    this.stage.setWeaving(false);
    this.strip.show(picture.versions, version.id);
    this.result.show(version);
    if (before) this.compare.show(before, middle);
    this.say("The hole is filled.");
    this.changed();
    await cleaned;
  }

  /** @returns {Promise<ImageBitmap | null>} what the version on show was made from */
  async #beforeBitmap() {
    const parent = this.canCompare ? this.picture.versions.find((version) => version.id === this.current.parent) : null;
    if (!parent) return null;
    try {
      return await this.photos.load(parent);
    } catch (error) {
      toast(sentence(error), "error");
      return null;
    }
  }
}
