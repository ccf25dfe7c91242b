/** Spots on the picture that comments point at, and the aim with which a new one is set, by pointer or by keys. */

import { byId, make } from "../lib/dom.js";

/** @typedef {[number, number]} Spot x, y in pixels of the photo */

const STEP = 0.01;
const LEAP = 0.05;

export class Spots {
  /**
   * @param {{width: number, height: number}} photo
   * @param {{onOpen: (comment: string) => void, onAim: (spot: Spot | null) => void}} listeners
   */
  constructor(photo, listeners) {
    this.photo = photo;
    this.listeners = listeners;
    this.layer = byId("spots", HTMLElement);
    this.aim = byId("aim", HTMLElement);
    this.cross = byId("aim-cross", HTMLElement);
    /** @type {Spot | null} */
    this.chosen = null;
    this.at = { x: 0.5, y: 0.5 };
    this.aim.addEventListener("pointermove", (event) => this.#move(this.#shares(event)));
    this.aim.addEventListener("click", (event) => {
      // A click that the keyboard makes has no place of its own.
      if (event.detail > 0) this.#move(this.#shares(event));
      this.#set();
    });
    this.aim.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {{id: string, number: number, spot: Spot}[]} pins
   */
  show(pins) {
    const buttons = pins.map(({ id, number, spot }) => {
      const button = make("button", { class: "spot", type: "button", "aria-label": `Comment ${number} on this spot` }, String(number));
      this.#place(button, spot);
      button.addEventListener("click", () => this.listeners.onOpen(id));
      return button;
    });
    this.layer.replaceChildren(...buttons);
    if (this.chosen) {
      const pin = make("span", { class: "spot spot--new" }, "+");
      this.#place(pin, this.chosen);
      this.layer.append(pin);
    }
    this.pins = pins;
  }

  begin() {
    this.aim.hidden = false;
    this.#move({ x: 0.5, y: 0.5 });
    this.aim.focus();
  }

  clear() {
    this.chosen = null;
    this.aim.hidden = true;
    this.show(this.pins ?? []);
  }

  #set() {
    this.chosen = [Math.round(this.at.x * this.photo.width), Math.round(this.at.y * this.photo.height)];
    this.aim.hidden = true;
    this.show(this.pins ?? []);
    this.listeners.onAim(this.chosen);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? LEAP : STEP;
    const moves = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    });
    const move = moves[event.key];
    if (move) this.#move({ x: this.at.x + move[0], y: this.at.y + move[1] });
    else if (event.key === "Enter" || event.key === " ") this.#set();
    else if (event.key === "Escape") {
      this.clear();
      this.listeners.onAim(null);
    } else return;
    event.preventDefault();
  }

  /** @param {{x: number, y: number}} at shares of the photo */
  #move(at) {
    this.at = { x: Math.min(1, Math.max(0, at.x)), y: Math.min(1, Math.max(0, at.y)) };
    this.cross.style.left = `${this.at.x * 100}%`;
    this.cross.style.top = `${this.at.y * 100}%`;
  }

  /** @param {MouseEvent} event */
  #shares(event) {
    const box = this.aim.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  /**
   * @param {HTMLElement} element
   * @param {Spot} spot
   */
  #place(element, [x, y]) {
    element.style.left = `${(x / this.photo.width) * 100}%`;
    element.style.top = `${(y / this.photo.height) * 100}%`;
  }
}
