/** Every action of the editor: what its buttons do, its keys, and when it is on offer. */

import { downloadUrl } from "./result-view.js";

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./editor.js").Editor} Editor */

/**
 * @param {Editor} editor
 * @param {HTMLDialogElement} help
 * @returns {Action[]}
 */
export function editorActions(editor, help) {
  const free = () => !editor.locked;
  const tool = (/** @type {string} */ name) => ({
    id: `tool-${name}`,
    icon: name,
    group: "Tools",
    run: () => editor.choose(name),
    pressed: () => editor.tool.id === name,
  });
  return [
    { ...tool("brush"), label: "Brush", keys: ["B"] },
    { ...tool("eraser"), label: "Eraser", keys: ["E"] },
    { ...tool("pan"), icon: "hand", label: "Pan", keys: ["H"] },
    { id: "smaller", label: "Smaller brush", icon: "brush", keys: ["["], group: "Tools", run: () => editor.stepBrush(false) },
    { id: "larger", label: "Larger brush", icon: "brush", keys: ["]"], group: "Tools", run: () => editor.stepBrush(true) },
    { id: "undo", label: "Undo", icon: "undo", keys: ["Mod+Z"], group: "Mask", run: () => editor.undo(), enabled: () => editor.canUndo },
    { id: "redo", label: "Redo", icon: "redo", keys: ["Mod+Shift+Z", "Mod+Y"], group: "Mask", run: () => editor.redo(), enabled: () => editor.canRedo },
    { id: "invert", label: "Invert the mask", icon: "invert", keys: ["Shift+I"], group: "Mask", run: () => editor.edit("Mask inverted", (mask) => mask.invert()), enabled: free },
    { id: "clear", label: "Clear the mask", icon: "clear", keys: ["Shift+C"], group: "Mask", run: () => editor.edit("Mask cleared", (mask) => mask.clear()), enabled: () => free() && !editor.empty },
    { id: "previous-mask", label: "Previous mask", icon: "previous-mask", keys: ["Shift+P"], group: "Mask", run: () => void editor.previousMask(), enabled: () => free() && editor.current.mask_url !== null },
    { id: "zoom-in", label: "Zoom in", icon: "zoom-in", keys: ["+", "="], group: "View", run: () => editor.zoomBy(1.25) },
    { id: "zoom-out", label: "Zoom out", icon: "zoom-out", keys: ["-"], group: "View", run: () => editor.zoomBy(0.8) },
    { id: "fit", label: "Fit the photo", icon: "fit", keys: ["Mod+0"], group: "View", run: () => editor.fit() },
    { id: "actual-size", label: "Actual size", icon: "one-to-one", keys: ["Mod+1"], group: "View", run: () => editor.actualSize() },
    { id: "compare", label: "Before and after", icon: "compare", keys: ["C"], group: "View", run: () => void editor.compare.toggle(), enabled: () => editor.canCompare, pressed: () => editor.compare.open },
    { id: "fill", label: "Fill the hole", icon: "needle", keys: ["Mod+Enter"], group: "Fill", run: () => editor.fill(), enabled: () => free() && !editor.empty },
    { id: "cancel", label: "Stop the fill", icon: "close", keys: ["Shift+X"], group: "Fill", run: () => void editor.run.cancel(), enabled: () => editor.run.canCancel },
    { id: "download", label: "Download as PNG", icon: "download", keys: ["Mod+S"], group: "Fill", run: () => window.location.assign(downloadUrl(editor.current.download_url, "png")) },
    { id: "help", label: "Keys and gestures", icon: "keyboard", keys: ["?"], group: "View", run: () => help.showModal() },
  ];
}
