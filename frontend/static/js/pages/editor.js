/** The editor page: builds the editor from the server's state and wires buttons and keys to it. */

import { editorActions } from "../editor/action-list.js";
import { ariaKey, isTyping, keyCaps, keymap, keyName } from "../editor/actions.js";
import { Editor, MAX_BRUSH } from "../editor/editor.js";
import { clamp, sizeToSlider, sliderToSize } from "../editor/geometry.js";
import { attach } from "../editor/pointers.js";
import { byId, icon, make, readJson } from "../lib/dom.js";
import { groupDigits } from "../lib/format.js";

/** @typedef {import("../editor/actions.js").Action} Action */

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

const editor = new Editor(readJson("boot"));
const actions = editorActions(editor, byId("help-dialog", HTMLDialogElement));
const keys = keymap(actions);
const buttons = wireButtons(actions);
attach(editor.element, editor.input, (event) => editor.stage.locate(event));
wireKeys();
wireBrushSlider();
wireKeyboardPainting();
writeHelp();
editor.onChange = refresh;
refresh();
void editor.open();

// Leaving must not lose the last stroke; while the page is hidden it may be thrown away at any moment.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") void editor.session.saveDraft();
});

/**
 * @param {Action[]} list
 * @returns {{button: HTMLButtonElement, action: Action}[]}
 */
function wireButtons(list) {
  const found = [];
  for (const button of document.querySelectorAll("button[data-action]")) {
    const action = list.find((entry) => entry.id === button.getAttribute("data-action"));
    if (!action || !(button instanceof HTMLButtonElement)) {
      throw new Error(`No action is called “${button.getAttribute("data-action")}”.`);
    }
    const key = action.keys[0];
    button.title = key ? `${action.label} (${keyCaps(key, MAC).join(" ")})` : action.label;
    if (key) button.setAttribute("aria-keyshortcuts", ariaKey(key));
    if (button.childElementCount === 0 && !button.hasAttribute("data-labelled")) button.append(icon(action.icon));
    if (!button.hasAttribute("data-labelled") && !button.textContent?.trim()) button.setAttribute("aria-label", action.label);
    button.addEventListener("click", () => action.run());
    found.push({ button, action });
  }
  return found;
}

function wireKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === " " && wantsHold(event)) {
      event.preventDefault();
      hold(true);
      return;
    }
    if (event.key === "Tab" && !event.ctrlKey && !event.altKey && editor.hover && onStage() && !event.repeat && editor.canCompare) {
      // Only under a pointer that rests on the photo: people who move by Tab are never caught here.
      event.preventDefault();
      void editor.compare.peek(true);
      return;
    }
    const action = keys.get(keyName(event));
    if (!action || (isTyping(event.target) && !event.ctrlKey && !event.metaKey)) return;
    if (isTyping(event.target) && /^Mod\+(Shift\+)?[ZY]$/.test(keyName(event))) return;
    event.preventDefault();
    if (action.enabled?.() ?? true) action.run();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") hold(false);
    if (event.key === "Tab") void editor.compare.peek(false);
  });
  window.addEventListener("blur", () => {
    hold(false);
    void editor.compare.peek(false);
  });
}

function onStage() {
  return document.activeElement === document.body || document.activeElement === editor.element;
}

/** @param {KeyboardEvent} event */
function wantsHold(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey && onStage();
}

/** @param {boolean} held whether Space turns the main button into a hand */
function hold(held) {
  if (editor.spaceHeld === held) return;
  editor.spaceHeld = held;
  editor.choose(editor.tool.id);
}

function wireBrushSlider() {
  const slider = byId("brush-size", HTMLInputElement);
  slider.addEventListener("input", () => editor.setBrush(sliderToSize(slider.valueAsNumber, MAX_BRUSH)));
}

/** Arrow keys move the brush over the photo; Enter puts it down or lifts it. */
function wireKeyboardPainting() {
  const { element, viewport } = editor;
  let at = { x: editor.picture.width / 2, y: editor.picture.height / 2 };
  let down = false;
  element.addEventListener("keydown", (event) => {
    if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    });
    const step = steps[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    if (!editor.tool.paints) {
      if (step) editor.input.hands.pan(-step[0] * 40, -step[1] * 40);
      return;
    }
    if (event.key === "Enter") {
      down = !down;
      if (down) editor.paintLine(at, at);
      editor.say(down ? "Brush down: arrow keys paint." : "Brush lifted.");
    } else if (step) {
      const length = Math.max(1, editor.brushSize * (event.shiftKey ? 2 : 0.5));
      const next = {
        x: clamp(at.x + step[0] * length, 0, editor.picture.width),
        y: clamp(at.y + step[1] * length, 0, editor.picture.height),
      };
      if (down) editor.paintLine(at, next);
      at = next;
    }
    editor.input.hands.hover(viewport.toStage(at), false);
  });
  element.addEventListener("blur", () => {
    down = false;
    editor.input.leave();
  });
}

function refresh() {
  for (const { button, action } of buttons) {
    // A button that turns off under the keyboard's focus would drop it to the top of the page.
    const off = !(action.enabled?.() ?? true);
    if (button.disabled !== off) button.disabled = off;
    if (action.pressed) button.setAttribute("aria-pressed", String(action.pressed()));
  }
  const slider = byId("brush-size", HTMLInputElement);
  slider.value = String(sizeToSlider(editor.brushSize, MAX_BRUSH));
  slider.setAttribute("aria-valuetext", `${editor.brushSize} pixels`);
  byId("brush-px", HTMLOutputElement).textContent = `${editor.brushSize} px`;
  const percent = editor.viewport.scale * editor.stage.ratio * 100;
  byId("zoom-level", HTMLElement).textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
  byId("fill-hint", HTMLElement).textContent = editor.empty
    ? "Paint over what should go, then fill."
    : `${groupDigits(editor.session.holePixels)} pixels to fill`;
}

function writeHelp() {
  const list = byId("help-keys", HTMLElement);
  const groups = new Set(actions.map((action) => action.group));
  const gestures = [
    ["Paint", "drag, one finger, or pen"],
    ["Erase with any tool", "other button, or Ctrl held"],
    ["Pan", "Space or middle button held, two fingers"],
    ["Zoom", "wheel, or pinch"],
    ["See the version before", "Tab held over the photo"],
    ["Paint by keyboard", "arrow keys, Enter lowers and lifts"],
  ];
  for (const group of groups) {
    const section = make("section", {}, make("h3", {}, group));
    for (const action of actions.filter((entry) => entry.group === group && entry.keys.length > 0)) {
      const caps = make("span", {});
      for (const [i, cap] of keyCaps(action.keys[0] ?? "", MAC).entries()) caps.append(i ? " " : "", make("kbd", {}, cap));
      section.append(make("div", { class: "keys__row" }, make("span", {}, action.label), caps));
    }
    list.append(section);
  }
  const section = make("section", {}, make("h3", {}, "Gestures"));
  for (const [what, how] of gestures) {
    section.append(make("div", { class: "keys__row" }, make("span", {}, what ?? ""), make("span", {}, how ?? "")));
  }
  list.append(section);
}
