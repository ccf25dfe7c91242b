/** The editor page: builds the editor from the server's state and wires buttons, keys and files to it. */

import { editorActions } from "../editor/action-list.js";
import { ariaKey, isTyping, keyCaps } from "../editor/actions.js";
import { Controls } from "../editor/controls.js";
import { Editor } from "../editor/editor.js";
import { wireKeyboardHand, wireKeys } from "../editor/keys.js";
import { writeHelp } from "../editor/keys-help.js";
import { attach } from "../editor/pointers.js";
import { byId, icon, readJson } from "../lib/dom.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";

/** @typedef {import("../editor/actions.js").Action} Action */
/** @typedef {import("../types.js").Picture} Picture */

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

const maskFile = byId("mask-file", HTMLInputElement);
const helpDialog = byId("help-dialog", HTMLDialogElement);
const editor = new Editor(readJson("boot"), byId("stage", HTMLElement).dataset["worker"] ?? "");
const actions = editorActions(editor, {
  help: () => helpDialog.showModal(),
  importMask: () => maskFile.click(),
  fullScreen: () => void toggleFullScreen(),
  isFullScreen: () => document.fullscreenElement !== null,
});
const controls = new Controls(editor);
const buttons = wireButtons(actions);
attach(editor.element, editor.hand.input, (event) => editor.stage.locate(event));
wireKeys(editor, actions);
wireKeyboardHand(editor);
writeHelp(byId("help-keys", HTMLElement), actions, MAC);
wireFiles();
let asked = 0;
editor.onChange = () => {
  // Many changes can come between two frames; the buttons follow once.
  if (!asked) asked = requestAnimationFrame(refresh);
};
refresh();
void editor.go(editor.current);
void editor.work.askAbilities();

document.addEventListener("fullscreenchange", refresh);
// Leaving must not lose the last stroke; while the page is hidden it may be thrown away at any moment.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") void editor.session.saveDraft();
});

function refresh() {
  asked = 0;
  for (const { button, action } of buttons) {
    const off = !(action.enabled?.() ?? true);
    if (button.disabled !== off) button.disabled = off;
    const pressed = action.pressed && String(action.pressed());
    const missing = action.missing?.() ?? "";
    const title = missing || titleOf(action);
    if (button.title !== title) button.title = title;
    if (pressed !== undefined && button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
  }
  controls.refresh();
}

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
    button.title = titleOf(action);
    if (key) button.setAttribute("aria-keyshortcuts", ariaKey(key));
    if (button.childElementCount === 0 && !button.hasAttribute("data-labelled")) button.append(icon(action.icon));
    if (!button.hasAttribute("data-labelled") && !button.textContent?.trim()) button.setAttribute("aria-label", action.label);
    button.addEventListener("click", () => action.run());
    found.push({ button, action });
  }
  return found;
}

/** @param {Action} action */
function titleOf({ label, keys: [key] }) {
  return key ? `${label} (${keyCaps(key, MAC).join(" ")})` : label;
}

async function toggleFullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen();
  } catch {
    toast("This browser does not allow full screen here.");
  }
}

function wireFiles() {
  maskFile.addEventListener("change", () => {
    const [file] = maskFile.files ?? [];
    // The same file can be chosen again after a change to it.
    if (file) void editor.work.importFile(file).finally(() => (maskFile.value = ""));
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file || isTyping(event.target)) return;
    event.preventDefault();
    void openPhoto(file, "Opening the pasted photo.");
  });
  // A file let go over the page would otherwise replace it.
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    event.preventDefault();
    void openPhoto(file, "Opening the dropped photo.");
  });
}

/**
 * @param {File} file a photo that becomes a picture of its own
 * @param {string} said
 */
async function openPhoto(file, said) {
  toast(said);
  await editor.session.saveDraft();
  const form = new FormData();
  form.set("file", file, file.name || "pasted.png");
  try {
    const picture = /** @type {Picture} */ (await call(`${editor.api}/pictures`, { method: "POST", body: form }));
    window.location.assign(picture.edit_url);
  } catch (error) {
    toast(sentence(error), "error");
  }
}
