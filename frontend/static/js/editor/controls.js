/** The small controls around the stage: sizes, tolerances, colours, switches. Buttons are wired from the actions. */

import { byId } from "../lib/dom.js";
import { groupDigits } from "../lib/format.js";
import { clamp, sizeToSlider, sliderToSize } from "./geometry.js";
import { MAX_BRUSH } from "./hand.js";
import { prefer, preference } from "./preferences.js";
import { MOST_REACH } from "./reach.js";

/** @typedef {import("./editor.js").Editor} Editor */

export class Controls {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.size = byId("brush-size", HTMLInputElement);
    this.sizeText = byId("brush-px", HTMLOutputElement);
    this.zoom = byId("zoom-level", HTMLElement);
    this.hint = byId("fill-hint", HTMLElement);
    this.options = byId("tool-options", HTMLElement);
    this.wandOptions = byId("wand-options", HTMLElement);
    this.outlineOptions = byId("outline-options", HTMLElement);
    this.objectOptions = byId("object-options", HTMLElement);
    this.autoRun = byId("auto-run", HTMLInputElement);
    this.eye = byId("peek", HTMLButtonElement);
    this.selectText = byId("select-text", HTMLButtonElement);
    this.noText = byId("no-text", HTMLElement);
    this.size.addEventListener("input", () => editor.hand.setBrush(sliderToSize(this.size.valueAsNumber, MAX_BRUSH)));
    this.autoRun.addEventListener("change", () => editor.setAutoRun(this.autoRun.checked));
    this.#wireWand();
    this.#wireMask();
    this.#wirePeek();
  }

  refresh() {
    const { editor } = this;
    const { hand, viewport } = editor;
    this.size.value = String(sizeToSlider(hand.brushSize, MAX_BRUSH));
    this.size.setAttribute("aria-valuetext", `${hand.brushSize} pixels`);
    setText(this.sizeText, `${hand.brushSize} px`);
    const percent = viewport.scale * editor.stage.ratio * 100;
    setText(this.zoom, `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`);
    setText(
      this.hint,
      editor.empty ? "Paint over what should go, then fill." : `${groupDigits(editor.session.holePixels)} pixels to fill`,
    );
    this.eye.disabled = !editor.canCompare;
    editor.edge.follow();
    this.noText.hidden = editor.work.abilities.includes("text");
    // A hidden description would be read out all the same.
    if (this.noText.hidden) this.selectText.removeAttribute("aria-describedby");
    else this.selectText.setAttribute("aria-describedby", this.noText.id);
    this.autoRun.checked = editor.autoRun;
    const { id } = hand.tool;
    this.wandOptions.hidden = id !== "wand";
    this.outlineOptions.hidden = !hand.pending;
    this.objectOptions.hidden = id !== "object";
    this.options.hidden = this.wandOptions.hidden && this.outlineOptions.hidden && this.objectOptions.hidden;
  }

  #wireWand() {
    const tolerance = byId("wand-tolerance", HTMLInputElement);
    const shown = byId("wand-tolerance-value", HTMLOutputElement);
    const contiguous = byId("wand-contiguous", HTMLInputElement);
    tolerance.valueAsNumber = preference("tolerance");
    contiguous.checked = preference("contiguous");
    const show = () => setText(shown, tolerance.value);
    show();
    tolerance.addEventListener("input", () => {
      prefer("tolerance", tolerance.valueAsNumber);
      show();
    });
    contiguous.addEventListener("change", () => prefer("contiguous", contiguous.checked));
  }

  #wireMask() {
    const reach = byId("mask-reach", HTMLInputElement);
    const colour = byId("mask-colour", HTMLInputElement);
    const opacity = byId("mask-opacity", HTMLInputElement);
    reach.valueAsNumber = preference("reach");
    colour.value = preference("maskColour");
    opacity.valueAsNumber = preference("maskOpacity") * 100;
    reach.addEventListener("change", () => {
      const number = reach.valueAsNumber;
      reach.valueAsNumber = Number.isFinite(number) ? clamp(Math.round(number), 1, MOST_REACH) : preference("reach");
      prefer("reach", reach.valueAsNumber);
      this.editor.changed();
    });
    const tone = () => {
      prefer("maskColour", colour.value);
      prefer("maskOpacity", opacity.valueAsNumber / 100);
      this.editor.stage.setTone(colour.value, opacity.valueAsNumber / 100);
      this.editor.changed();
    };
    colour.addEventListener("input", tone);
    opacity.addEventListener("input", tone);
    for (const swatch of document.querySelectorAll("[data-mask-colour]")) {
      swatch.addEventListener("click", () => {
        colour.value = swatch.getAttribute("data-mask-colour") ?? colour.value;
        tone();
      });
    }
  }

  /** The eye: what was before shows as long as it is held. */
  #wirePeek() {
    const { eye } = this;
    const { compare } = this.editor;
    eye.addEventListener("pointerdown", (event) => {
      eye.setPointerCapture(event.pointerId);
      void compare.peek(true);
    });
    for (const end of ["pointerup", "pointercancel", "blur", "keyup"]) eye.addEventListener(end, () => void compare.peek(false));
    eye.addEventListener("keydown", (event) => {
      if (event.repeat || (event.key !== " " && event.key !== "Enter")) return;
      event.preventDefault();
      void compare.peek(true);
    });
  }
}

/**
 * Most refreshes change nothing here, and writing the same text again would still cost a layout.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
