/** The editor: brings photo, mask, hand and the running fills together. It owns the state; the parts own their looks. */

import { byId } from "../lib/dom.js";
import { sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { Arrivals } from "./arrivals.js";
import { Compare } from "./compare.js";
import { EdgePreview } from "./edge-preview.js";
import { Fills } from "./fills.js";
import { clamp, EMPTY, Viewport } from "./geometry.js";
import { Hand } from "./hand.js";
import { Heavy } from "./heavy.js";
import { HistoryStrip } from "./history-strip.js";
import { MaskSession } from "./mask-session.js";
import { MaskWork } from "./mask-work.js";
import { Origins } from "./origins.js";
import { Panel } from "./panel.js";
import { PhotoStore } from "./photo-store.js";
import { prefer, preference } from "./preferences.js";
import { ResultView } from "./result-view.js";
import { Run } from "./run.js";
import { Stage } from "./stage.js";
import { Brush } from "./tools/brush.js";
import { Lasso } from "./tools/lasso.js";
import { ObjectStroke } from "./tools/object.js";
import { PAN } from "./tools/pan.js";
import { Rectangle } from "./tools/rectangle.js";
import { Wand } from "./tools/wand.js";
import { Trials } from "./trials.js";
import { lastOpened, rememberOpened } from "./version-memory.js";

/** @typedef {import("../types.js").Boot} Boot */
/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Rect} Rect */

export class Editor {
  /**
   * @param {Boot} boot
   * @param {string} workerUrl
   */
  constructor(boot, workerUrl) {
    const { picture } = boot;
    const { versions } = picture;
    const newest = versions[versions.length - 1];
    if (!newest) throw new Error("A picture without versions cannot be edited.");
    this.boot = boot;
    this.api = boot.urls.api.replace(/\/$/, "");
    this.picture = picture;
    const drafted = versions.find((version) => version.id === picture.draft?.version);
    this.current = lastOpened(picture.id, versions) ?? drafted ?? newest;
    /** Versions left by undoing a result, for redo. @type {Version[]} */
    this.forward = [];
    this.autoRun = preference("autoRun");
    this.loading = true;
    /** @type {() => void} */
    this.onChange = () => undefined;

    this.session = new MaskSession(
      picture.width,
      picture.height,
      {
        onEdited: () => this.changed(),
        onNoDrafts: () => toast("This browser cannot keep drafts: an unfinished mask may not survive a reload."),
      },
      this.api,
      picture.draft ?? null,
    );
    this.mask = this.session.raster;
    this.undoStack = this.session.undoStack;
    this.viewport = new Viewport(picture.width, picture.height);
    this.element = byId("stage", HTMLElement);
    this.message = byId("stage-message", HTMLElement);
    this.status = byId("stage-status", HTMLElement);
    this.connection = byId("connection", HTMLElement);
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
    this.stage.setTone(preference("maskColour"), preference("maskOpacity"));
    this.photos = new PhotoStore();
    const heavy = new Heavy(workerUrl);
    this.work = new MaskWork(this, heavy);
    this.edge = new EdgePreview(this, heavy);
    this.origins = new Origins(this.stage, () => this.changed());
    this.compare = new Compare(this.stage, {
      before: () => this.#beforeBitmap(),
      middle: () => this.work.middleOf(this.current),
      onChange: () => this.changed(),
    });
    this.panel = new Panel(boot.models);
    this.result = new ResultView(boot.models);
    this.trials = new Trials(this.photos, (version) => void this.go(version));
    this.strip = new HistoryStrip({
      onChoose: (version) => void this.go(version),
      onGlimpse: (version) => void this.#glimpse(version),
    });
    this.objectTool = new ObjectStroke((stroke) => void this.work.selectObject(stroke));
    this.hand = this.#makeHand();
    this.stage.onView = () => {
      this.compare.place();
      this.hand.show();
      this.changed();
    };
    this.arrivals = new Arrivals(this);
    this.run = this.#makeRun();
    this.fills = new Fills(this);
  }

  /** Whether the mask may not be changed now. */
  get locked() {
    return this.loading || this.work.busy || this.run.busy;
  }

  get empty() {
    return this.session.empty;
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
    this.nowOn(version);
    this.stage.setGlimpse(null);
    this.hand.putDown();
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
    this.strip.show(this.picture.versions, version.id);
    this.showResult();
    this.hand.show();
    this.changed();
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
    this.viewport.zoomTo(1 / this.stage.ratio, this.hand.hover?.at);
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
   * @param {(mask: import("./mask-raster.js").MaskRaster) => Rect} change
   */
  edit(label, change) {
    if (this.locked) return;
    this.stage.maskChanged(this.session.edit(label, change));
    this.say(label);
  }

  /** Let the running fills go on aside and begin with an empty mask. */
  async leaveRun() {
    this.run.leave();
    await this.session.finish(this.current.id);
    this.stage.maskChanged();
    this.changed();
  }

  /** @param {boolean} on whether a fill begins as soon as the hand is off the mask */
  setAutoRun(on) {
    this.autoRun = on;
    prefer("autoRun", on);
    this.changed();
  }

  /** The results that other models gave for the same hole, side by side. */
  openTrials() {
    this.trials.open(this.arrivals.siblings, { ...EMPTY });
  }

  get canCompare() {
    return !this.locked && this.current.parent !== null;
  }

  /** @param {string} text told to screen readers */
  say(text) {
    this.status.textContent = text;
  }

  #makeHand() {
    const { width, height } = this.picture;
    return new Hand(
      {
        session: this.session,
        stage: this.stage,
        locked: () => this.locked,
        begins: () => this.compare.close(),
        painted: (added) => {
          if (added) this.fills.letGo();
        },
        changed: () => this.changed(),
        zoom: (factor, at) => this.zoomBy(factor, at),
        looks: (at) => this.origins.lookAt(at ? this.viewport.toPhoto(at) : null),
      },
      [
        new Brush("brush", "stroke", false),
        new Brush("eraser", "erasing", true),
        new Rectangle(),
        new Lasso(),
        new Wand((dab) => void this.work.pickColour(dab)),
        this.objectTool,
        PAN,
      ],
      clamp(Math.round(Math.max(width, height) / 32), 6, 240),
    );
  }

  #makeRun() {
    return new Run(this.boot, {
      wants: (job) => job.kind === "fill" && job.source === this.current.id && this.empty,
      onActive: (job) => {
        this.compare.close();
        this.result.hide();
        this.stage.setWeaving(job.kind === "fill");
        const source = this.picture.versions.find((version) => version.id === job.source);
        if (source && source !== this.current) void this.go(source);
        this.hand.show();
        this.changed();
      },
      onPreview: (preview) => this.stage.setPreview(preview),
      onDone: (job) => (job.kind === "fill" ? this.arrivals.result(job) : this.work.takeSelection(job)),
      onTried: (jobs) => this.arrivals.trials(jobs),
      onAside: (job) => this.arrivals.aside(job),
      onFree: () => {
        this.stage.setWeaving(false);
        this.stage.setPreview(null);
        this.objectTool.cancel();
        if (!this.loading) this.showResult();
        this.hand.show();
        this.changed();
      },
      onConnection: (up) => this.connection.classList.toggle("is-lost", !up),
    });
  }

  /** @param {Version} version that is on show from here on */
  nowOn(version) {
    this.current = version;
    rememberOpened(this.picture.id, version.id);
    this.origins.leave();
  }

  /** Say what is known about the version on show, unless a fill has the panel. */
  showResult() {
    if (this.run?.busy && !this.run.finishing) return;
    this.result.show(this.current);
    this.origins.show(this.current);
  }

  /**
   * @param {Rect} dirty
   * @param {string} said
   */
  #maskChanged(dirty, said) {
    this.stage.maskChanged(dirty);
    this.session.edited();
    this.say(said);
  }

  /** @param {Version | null} version under the pointer in the history strip */
  async #glimpse(version) {
    if (!version || version === this.current || this.loading) {
      this.stage.setGlimpse(null);
      return;
    }
    try {
      const bitmap = await this.photos.load(version);
      if (this.strip.glimpsed === version) this.stage.setGlimpse(bitmap);
    } catch (error) {
      console.info("That version could not be previewed.", error);
    }
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
