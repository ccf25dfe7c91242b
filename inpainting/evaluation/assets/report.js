/** Synchronised zoom: all pictures of a case move together, by wheel, pinch, drag, double click or keys. */

const MOST = 12;

class Zoom {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
    this.panes = /** @type {HTMLElement} */ (section.querySelector(".panes"));
    this.scale = 1;
    /** Where the picture's corner lies, as shares of the pane. */
    this.x = 0;
    this.y = 0;
    /** @type {Map<number, {x: number, y: number}>} */
    this.touching = new Map();
    this.panes.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.panes.addEventListener("pointerdown", (event) => this.down(event));
    this.panes.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.panes.addEventListener(end, (event) => this.touching.delete(/** @type {PointerEvent} */ (event).pointerId));
    }
    this.panes.addEventListener("dblclick", (event) => {
      const place = this.place(event);
      if (place) this.zoomTo(this.scale > 1 ? 1 : 4, place);
    });
    this.panes.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * Where in its pane an event happened, as shares of the pane's size.
   * @param {MouseEvent} event
   */
  place(event) {
    const pane = event.target instanceof Element ? event.target.closest(".pane") : null;
    if (!pane) return null;
    const box = pane.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, box };
  }

  /**
   * @param {number} scale
   * @param {{x: number, y: number}} place stays under the pointer
   */
  zoomTo(scale, place) {
    const next = Math.min(MOST, Math.max(1, scale));
    this.x = place.x - ((place.x - this.x) * next) / this.scale;
    this.y = place.y - ((place.y - this.y) * next) / this.scale;
    this.scale = next;
    this.show();
  }

  show() {
    const room = 1 - this.scale;
    this.x = Math.min(0, Math.max(room, this.x));
    this.y = Math.min(0, Math.max(room, this.y));
    for (const pane of this.panes.querySelectorAll(".pane")) {
      if (!(pane instanceof HTMLElement)) continue;
      pane.style.setProperty("--zoom", String(this.scale));
      // Per cent in a transform are of the picture's own size, which is the pane's.
      pane.style.setProperty("--zoom-x", `${this.x * 100}%`);
      pane.style.setProperty("--zoom-y", `${this.y * 100}%`);
    }
    this.section.classList.toggle("zoomed", this.scale > 1);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const place = this.place(event);
    // Without a picture under the pointer, or at the end of the range, the page scrolls as usual.
    if (!place || (this.scale === 1 && event.deltaY > 0)) return;
    event.preventDefault();
    this.zoomTo(this.scale * Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), place);
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (!this.place(event)) return;
    this.touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.scale > 1 || this.touching.size > 1) this.panes.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const before = this.touching.get(event.pointerId);
    if (!before) return;
    const pane = /** @type {HTMLElement} */ (this.panes.querySelector(".pane"));
    const box = pane.getBoundingClientRect();
    const now = { x: event.clientX, y: event.clientY };
    if (this.touching.size === 2) {
      const other = [...this.touching].find(([id]) => id !== event.pointerId)?.[1];
      const place = this.place(event);
      if (other && place) {
        const was = Math.hypot(before.x - other.x, before.y - other.y);
        const is = Math.hypot(now.x - other.x, now.y - other.y);
        if (was > 0) this.zoomTo((this.scale * is) / was, place);
      }
    } else if (this.scale > 1) {
      this.x += (now.x - before.x) / box.width;
      this.y += (now.y - before.y) / box.height;
      this.show();
    }
    this.touching.set(event.pointerId, now);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = 0.15;
    const middle = { x: 0.5, y: 0.5 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.zoomTo(this.scale * 1.5, middle);
    else if (event.key === "-") this.zoomTo(this.scale / 1.5, middle);
    else if (event.key === "0") this.zoomTo(1, middle);
    else if (this.scale > 1 && event.key.startsWith("Arrow")) {
      this.x += event.key === "ArrowLeft" ? step : event.key === "ArrowRight" ? -step : 0;
      this.y += event.key === "ArrowUp" ? step : event.key === "ArrowDown" ? -step : 0;
      this.show();
    } else return;
    event.preventDefault();
  }
}

for (const section of document.querySelectorAll("[data-zoom]")) {
  if (section instanceof HTMLElement) new Zoom(section);
}

export {};
