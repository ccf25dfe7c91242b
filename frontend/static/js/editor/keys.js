/** Keys of the editor: actions by key, Space and Tab while they are held, and painting without a pointer. */

import { toast } from "../lib/toast.js";
import { isTyping, keymap, keyName } from "./actions.js";
import { clamp } from "./geometry.js";

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./editor.js").Editor} Editor */

/**
 * @param {Editor} editor
 * @param {Action[]} actions
 */
export function wireKeys(editor, actions) {
  const keys = keymap(actions);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === " " && isPlain(event) && onStage(editor)) {
      event.preventDefault();
      editor.hand.hold(true);
      return;
    }
    if (event.key === "Tab" && isPlain(event) && editor.hand.hover && onStage(editor) && editor.canCompare) {
      // Only under a pointer that rests on the photo: people who move by Tab are never caught here.
      event.preventDefault();
      if (!event.repeat) void editor.compare.peek(true);
      return;
    }
    const name = keyName(event);
    const action = keys.get(name);
    if (!action || (isTyping(event.target) && !name.startsWith("Mod+"))) return;
    if (isTyping(event.target) && /^Mod\+(Shift\+)?[ZY]$/.test(name)) return;
    if (action.onStage && !onStage(editor)) return;
    const ready = action.enabled?.() ?? true;
    // With Ctrl the browser has plans of its own for most keys; without, an action that is off leaves the key alone.
    if (ready || name.startsWith("Mod+")) event.preventDefault();
    const missing = action.missing?.();
    if (ready) action.run();
    else if (missing) toast(missing);
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") editor.hand.hold(false);
    if (event.key === "Tab") void editor.compare.peek(false);
  });
  window.addEventListener("blur", () => {
    editor.hand.hold(false);
    void editor.compare.peek(false);
  });
}

/** @param {KeyboardEvent} event */
function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey;
}

/** @param {Editor} editor */
function onStage(editor) {
  return document.activeElement === document.body || document.activeElement === editor.element;
}

/**
 * Arrow keys move the hand over the photo; Enter puts it down or lifts it, whatever tool it holds.
 *
 * @param {Editor} editor
 */
export function wireKeyboardHand(editor) {
  const { element, viewport, hand } = editor;
  const { width, height } = editor.picture;
  let at = { x: width / 2, y: height / 2 };
  let down = false;
  const lift = () => {
    if (down) hand.byKey("up", at);
    down = false;
  };
  element.addEventListener("keydown", (event) => {
    if (event.target !== element || !isPlain(event) || (event.key === "Enter" && hand.pending)) return;
    const steps = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    });
    const step = steps[event.key];
    if (event.key === "Escape" && down) {
      down = false;
      hand.putDown();
      return;
    }
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    if (!hand.tool.paints) {
      if (step) hand.input.hands.pan(-step[0] * 40, -step[1] * 40);
      return;
    }
    if (event.key === "Enter" && down) {
      lift();
      editor.say("Lifted.");
    } else if (event.key === "Enter") {
      down = !editor.locked;
      if (down) hand.byKey("down", at);
      editor.say(down ? "Down: arrow keys draw, Enter lifts." : "The mask cannot be changed now.");
    } else if (step) {
      const length = Math.max(1, hand.brushSize * (event.shiftKey ? 2 : 0.5));
      at = { x: clamp(at.x + step[0] * length, 0, width), y: clamp(at.y + step[1] * length, 0, height) };
      if (down) hand.byKey("move", at);
    }
    hand.input.hands.hover(viewport.toStage(at), false);
  });
  element.addEventListener("blur", () => {
    lift();
    hand.input.leave();
  });
}
