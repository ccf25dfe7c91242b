/** The results of “try all models” side by side: one zoom and one pan for all, and one of them to go on with. */

import { byId, icon, make } from "../lib/dom.js";
import { duration } from "../lib/format.js";
import { sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { isEmpty, Viewport } from "./geometry.js";
import { versionName } from "./history-strip.js";
import { proofSentence, workedSeconds } from "./result-view.js";

/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {{version: Version, canvas: HTMLCanvasElement, bitmap: ImageBitmap | null}} Pane */

const ARROW_STEP = 40;
const CONTEXT = 0.6;

export class Trials {
  /**
   * @param {import("./photo-store.js").PhotoStore} photos
   * @param {(version: Version) => void} onChoose
   */
  constructor(photos, onChoose) {
    this.photos = photos;
    this.onChoose = onChoose;
    this.dialog = byId("trials-dialog", HTMLDialogElement);
    this.grid = byId("trials", HTMLElement);
    /** @type {Pane[]} */
    this.panes = [];
    this.viewport = new Viewport(1, 1);
    this.frame = 0;
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    new ResizeObserver(() => this.#measure()).observe(this.grid);
    this.grid.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("close", () => {
      // It comes late: by then the dialog may show the next results already.
      if (this.dialog.open) return;
      this.panes = [];
      this.grid.replaceChildren();
    });
  }

  /**
   * @param {Version[]} versions
   * @param {Rect} hole photo pixels to look at first; everything when it is empty
   */
  open(versions, hole) {
    const [first] = versions;
    if (!first) return;
    this.viewport = new Viewport(first.width, first.height);
    this.panes = versions.map((version) => ({ version, canvas: make("canvas", { class: "pane__canvas" }), bitmap: null }));
    this.grid.dataset["count"] = String(versions.length);
    this.grid.replaceChildren(...this.panes.map((pane) => this.#figure(pane)));
    if (!this.dialog.open) this.dialog.showModal();
    this.#measure();
    if (!isEmpty(hole)) this.#lookAt(hole);
    for (const pane of this.panes) {
      this.photos.load(pane.version).then(
        (bitmap) => {
          pane.bitmap = bitmap;
          this.#ask();
        },
        (error) => toast(sentence(error), "error"),
      );
    }
  }

  /** @param {Rect} hole */
  #lookAt({ left, top, right, bottom }) {
    const { viewport } = this;
    const more = CONTEXT * Math.max(right - left, bottom - top);
    const scale = Math.min(viewport.stageWidth / (right - left + more), viewport.stageHeight / (bottom - top + more));
    if (scale <= viewport.fitScale) return;
    viewport.zoomTo(Math.min(scale, 4), { x: 0, y: 0 });
    const at = viewport.toStage({ x: (left + right) / 2, y: (top + bottom) / 2 });
    viewport.pan(viewport.stageWidth / 2 - at.x, viewport.stageHeight / 2 - at.y);
  }

  /** @param {Pane} pane */
  #figure({ version, canvas }) {
    const name = versionName(version);
    const proof = proofSentence(version.proof);
    const seconds = workedSeconds(version);
    const whose = make("span", { class: "visually-hidden" }, `: ${name}`);
    const choose = make("button", { class: "button button--primary", type: "button" }, "Continue with this", whose);
    choose.addEventListener("click", () => {
      this.dialog.close();
      this.onChoose(version);
    });
    const view = make("div", { class: "pane__view", tabindex: 0, role: "img", "aria-label": `Result of ${name}` }, canvas);
    this.#hands(view);
    const words = make(
      "figcaption",
      { class: "pane__words" },
      make("strong", { class: "pane__name" }, name),
      make("span", { class: "pane__time" }, seconds > 0 ? duration(seconds) : ""),
      proof ? make("span", { class: proof.whole ? "pane__proof" : "pane__proof is-broken", title: proof.text }, icon(proof.whole ? "shield" : "warning"), proof.whole ? "Rest unchanged" : "Rest differs") : null,
      choose,
    );
    return make("figure", { class: "pane" }, view, words);
  }

  /** @param {HTMLElement} view */
  #hands(view) {
    view.addEventListener("pointerdown", (event) => {
      view.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event, view));
    });
    view.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const now = place(event, view);
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
      this.pointers.set(event.pointerId, now);
      const share = other ? 0.5 : 1;
      this.viewport.pan((now.x - before.x) * share, (now.y - before.y) * share);
      if (other) {
        const apart = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
        this.viewport.zoomBy(apart, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
      }
      this.#ask();
    });
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
      view.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const view = event.target instanceof Element ? event.target.closest(".pane__view") : null;
    if (!(view instanceof HTMLElement)) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    this.viewport.zoomBy(Math.exp(-event.deltaY * lines * 0.0022), place(event, view));
    this.#ask();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!(event.target instanceof Element) || !event.target.matches(".pane__view")) return;
    const moves = /** @type {Record<string, () => void>} */ ({
      ArrowLeft: () => this.viewport.pan(ARROW_STEP, 0),
      ArrowRight: () => this.viewport.pan(-ARROW_STEP, 0),
      ArrowUp: () => this.viewport.pan(0, ARROW_STEP),
      ArrowDown: () => this.viewport.pan(0, -ARROW_STEP),
      "+": () => this.viewport.zoomBy(1.25),
      "=": () => this.viewport.zoomBy(1.25),
      "-": () => this.viewport.zoomBy(0.8),
      0: () => this.viewport.fit(),
    });
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    move();
    this.#ask();
  }

  #measure() {
    const [first] = this.panes;
    if (!first) return;
    const ratio = window.devicePixelRatio || 1;
    for (const { canvas } of this.panes) {
      const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
      const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    }
    this.viewport.resize(first.canvas.clientWidth, first.canvas.clientHeight);
    this.#ask();
  }

  #ask() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.frame = 0;
    const { scale, x, y, photoWidth, photoHeight } = this.viewport;
    for (const { canvas, bitmap } of this.panes) {
      const ctx = canvas.getContext("2d");
      if (!ctx) continue;
      const ratio = canvas.width / Math.max(1, canvas.clientWidth);
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.clearRect(0, 0, canvas.width, canvas.height);
      if (!bitmap) continue;
      ctx.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
      ctx.imageSmoothingEnabled = scale < 3;
      ctx.drawImage(bitmap, 0, 0, photoWidth, photoHeight);
    }
  }
}

/**
 * @param {PointerEvent | WheelEvent} event
 * @param {HTMLElement} view
 * @returns {Point}
 */
function place(event, view) {
  const box = view.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}
