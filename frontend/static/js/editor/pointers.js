/**
 * What hands do on the stage. Mouse and pen paint with the main button, pan with the middle one (or with Space), erase
 * with the other button, with Ctrl or with the pen's far end. One finger paints; a second finger takes the begun stroke
 * back, and both together pan and zoom. A pen goes before fingers: the hand that holds it often rests on the screen.
 */

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {{point: Point, pressure: number, erase: boolean}} Sample on the stage, CSS pixels; pressure 0 to 1 */
/**
 * @typedef {object} Hands
 * @property {() => boolean} pans whether the main button pans now
 * @property {() => boolean} locked whether painting is off
 * @property {(sample: Sample) => void} down
 * @property {(samples: Sample[]) => void} move
 * @property {() => void} up
 * @property {() => void} cancel
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, at: Point) => void} zoom
 * @property {(point: Point | null, erase: boolean) => void} hover
 * @property {(dragging: boolean) => void} dragging
 * @property {(larger: boolean) => void} resize of the brush
 */
/** @typedef {Pick<PointerEvent, "pointerId" | "pointerType" | "button" | "buttons" | "ctrlKey" | "metaKey" | "pressure">} PointerLike */

const MIDDLE = 1;
const OTHER = 2;
const PEN_ERASER = 5;
const PEN_ERASER_HELD = 32;

export class PointerInput {
  /** @param {Hands} hands */
  constructor(hands) {
    this.hands = hands;
    /** @type {Map<number, Point>} */
    this.fingers = new Map();
    /** @type {"none" | "paint" | "pan" | "pinch"} */
    this.mode = "none";
    /** @type {number | null} */
    this.active = null;
    this.erase = false;
    /** @type {Point} */
    this.last = { x: 0, y: 0 };
  }

  /**
   * @param {PointerLike} event
   * @param {Point} point
   * @returns {boolean} whether the stage takes the pointer
   */
  down(event, point) {
    const byFinger = this.active === null || this.fingers.has(this.active);
    if (event.pointerType === "touch") return byFinger && this.#fingerDown(event, point);
    if (event.pointerType === "pen" && byFinger) this.#dropFingers();
    if (this.mode !== "none") return false;
    this.#begin(event, point);
    return true;
  }

  /**
   * @param {PointerLike} event
   * @param {{event: PointerLike, point: Point}[]} trail coalesced events, the last one last
   */
  move(event, trail) {
    const end = trail[trail.length - 1]?.point;
    if (!end) return;
    if (this.mode === "pinch" && this.fingers.has(event.pointerId)) {
      this.#pinch(event.pointerId, end);
      return;
    }
    if (this.active !== null && event.pointerId !== this.active) return;
    if (event.pointerType === "touch") this.fingers.set(event.pointerId, end);
    if (this.mode === "pan") this.hands.pan(end.x - this.last.x, end.y - this.last.y);
    if (this.mode === "paint") {
      this.hands.move(trail.map((item) => this.#sample(item.event, item.point)));
    }
    this.last = end;
    const erasing = this.mode === "paint" ? this.erase : wantsErase(event);
    this.hands.hover(event.pointerType === "touch" && this.mode === "none" ? null : end, erasing);
  }

  /** @param {PointerLike} event */
  up(event) {
    this.#end(event, true);
  }

  /** @param {PointerLike} event */
  cancel(event) {
    this.#end(event, false);
  }

  leave() {
    if (this.mode === "none") this.hands.hover(null, false);
  }

  /**
   * @param {PointerLike} event
   * @param {Point} point
   */
  #begin(event, point) {
    this.active = event.pointerId;
    this.last = point;
    if (event.button === MIDDLE || this.hands.pans() || this.hands.locked()) {
      this.mode = "pan";
      this.hands.dragging(true);
      return;
    }
    this.mode = "paint";
    this.erase = wantsErase(event);
    this.hands.down(this.#sample(event, point));
    this.hands.hover(point, this.erase);
  }

  /**
   * @param {PointerLike} event
   * @param {Point} point
   */
  #fingerDown(event, point) {
    this.fingers.set(event.pointerId, point);
    if (this.fingers.size === 1 && this.mode === "none") {
      this.#begin(event, point);
    } else if (this.fingers.size === 2) {
      if (this.mode === "paint") this.hands.cancel();
      this.mode = "pinch";
      this.active = null;
      this.hands.hover(null, false);
    }
    return true;
  }

  /** Whatever fingers had begun was the hand beside the pen. */
  #dropFingers() {
    if (this.mode === "paint") this.hands.cancel();
    if (this.mode === "pan") this.hands.dragging(false);
    this.fingers.clear();
    this.mode = "none";
    this.active = null;
  }

  /**
   * @param {number} id
   * @param {Point} point
   */
  #pinch(id, point) {
    const other = [...this.fingers].find(([key]) => key !== id)?.[1];
    const before = this.fingers.get(id);
    this.fingers.set(id, point);
    if (!other || !before || this.fingers.size !== 2) return;
    const middleBefore = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
    const middle = { x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 };
    this.hands.pan(middle.x - middleBefore.x, middle.y - middleBefore.y);
    const apartBefore = Math.hypot(before.x - other.x, before.y - other.y);
    const apart = Math.hypot(point.x - other.x, point.y - other.y);
    if (apartBefore > 4 && apart > 4) this.hands.zoom(apart / apartBefore, middle);
  }

  /**
   * @param {PointerLike} event
   * @param {boolean} meant whether the hand was lifted, not taken away by the system
   */
  #end(event, meant) {
    this.fingers.delete(event.pointerId);
    if (this.mode === "pinch") {
      // The finger that stays must not begin to paint: wait until all are gone.
      if (this.fingers.size === 0) this.mode = "none";
      return;
    }
    if (event.pointerId !== this.active) return;
    if (this.mode === "paint") {
      if (meant) this.hands.up();
      else this.hands.cancel();
    }
    if (this.mode === "pan") this.hands.dragging(false);
    this.mode = "none";
    this.active = null;
    if (event.pointerType === "touch") this.hands.hover(null, false);
  }

  /**
   * @param {PointerLike} event
   * @param {Point} point
   * @returns {Sample}
   */
  #sample(event, point) {
    // Mice report 0.5 while pressed, which is no pressure at all.
    return { point, pressure: event.pointerType === "pen" ? event.pressure : 1, erase: this.erase };
  }
}

/** @param {PointerLike} event */
function wantsErase(event) {
  return (
    event.button === OTHER ||
    event.button === PEN_ERASER ||
    (event.buttons & (OTHER | PEN_ERASER_HELD)) !== 0 ||
    event.ctrlKey ||
    event.metaKey
  );
}

/**
 * Listen to a stage.
 *
 * @param {HTMLElement} element
 * @param {PointerInput} input
 * @param {(event: PointerEvent | WheelEvent) => Point} locate
 */
export function attach(element, input, locate) {
  element.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Element && event.target.closest("button, label, input, [role=slider], [role=toolbar]")) return;
    if (!input.down(event, locate(event))) return;
    event.preventDefault();
    // The ring around the stage is for people who came by keyboard.
    element.classList.add("by-pointer");
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    const parts = event.getCoalescedEvents?.() ?? [];
    const trail = (parts.length > 0 ? parts : [event]).map((part) => ({ event: part, point: locate(part) }));
    input.move(event, trail);
  });
  element.addEventListener("pointerup", (event) => input.up(event));
  element.addEventListener("pointercancel", (event) => input.cancel(event));
  element.addEventListener("pointerleave", () => input.leave());
  element.addEventListener("keydown", () => element.classList.remove("by-pointer"));
  element.addEventListener("contextmenu", (event) => event.preventDefault());
  // A wheel over the stage belongs to it; the browser's own zoom would blow up the whole page.
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      // With Alt some systems turn the wheel sideways.
      const turned = event.altKey && event.deltaY === 0 ? event.deltaX : event.deltaY;
      const delta = Math.max(-240, Math.min(240, turned * lines));
      if (event.altKey) {
        if (delta !== 0) input.hands.resize(delta < 0);
        return;
      }
      input.hands.zoom(Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0022)), locate(event));
    },
    { passive: false },
  );
}
