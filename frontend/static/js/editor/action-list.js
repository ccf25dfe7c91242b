/** Every action of the editor: what its buttons do, its keys, and when it is on offer. */

import { downloadUrl } from "./result-view.js";

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./editor.js").Editor} Editor */

/**
 * @param {Editor} editor
 * @param {{help: () => void, importMask: () => void, fullScreen: () => void, isFullScreen: () => boolean}} page what
 *   only the page can do
 * @returns {Action[]}
 */
export function editorActions(editor, page) {
  const { hand, work } = editor;
  const free = () => !editor.locked;
  const painted = () => !editor.locked && !editor.empty;
  const pending = () => hand.pending;
  const lacks = (/** @type {string} */ ability, /** @type {string} */ sentence) => (work.abilities.includes(ability) ? null : sentence);
  const noObject = () => lacks("object", "No worker that can select objects is running now.");
  const noText = () => lacks("text", "Text cannot be found here: the text detector is not installed with the workers.");
  const tool = (/** @type {string} */ name) => ({
    id: `tool-${name}`,
    icon: name,
    group: "Tools",
    run: () => hand.choose(name),
    pressed: () => hand.tool.id === name,
  });
  return [
    { ...tool("brush"), label: "Brush", keys: ["B"] },
    { ...tool("eraser"), label: "Eraser", keys: ["E"] },
    { ...tool("rectangle"), label: "Rectangle", keys: ["R"] },
    { ...tool("lasso"), label: "Lasso", keys: ["L"] },
    { ...tool("wand"), label: "Magic wand", keys: ["W"] },
    { ...tool("object"), label: "Select object", keys: ["O"], enabled: () => noObject() === null, missing: noObject },
    { ...tool("pan"), icon: "hand", label: "Pan", keys: ["H"] },
    { id: "smaller", label: "Smaller brush", icon: "minus", keys: ["["], group: "Tools", run: () => hand.stepBrush(false) },
    { id: "larger", label: "Larger brush", icon: "plus", keys: ["]"], group: "Tools", run: () => hand.stepBrush(true) },
    { id: "finish", label: "Close the outline", icon: "check", keys: ["Enter"], onStage: true, group: "Tools", run: () => hand.finish(), enabled: pending },
    { id: "step-back", label: "Take back a corner", icon: "undo", keys: ["Backspace"], onStage: true, group: "Tools", run: () => hand.stepBack(), enabled: pending },
    { id: "put-down", label: "Drop the outline", icon: "close", keys: ["Escape"], onStage: true, group: "Tools", run: () => hand.putDown(), enabled: () => pending() || hand.painting },
    { id: "undo", label: "Undo", icon: "undo", keys: ["Mod+Z"], group: "Mask", run: () => editor.undo(), enabled: () => editor.canUndo },
    { id: "redo", label: "Redo", icon: "redo", keys: ["Mod+Shift+Z", "Mod+Y"], group: "Mask", run: () => editor.redo(), enabled: () => editor.canRedo },
    { id: "invert", label: "Invert the mask", icon: "invert", keys: ["Shift+I"], group: "Mask", run: () => editor.edit("Mask inverted", (mask) => mask.invert()), enabled: free },
    { id: "clear", label: "Clear the mask", icon: "clear", keys: ["Shift+C"], group: "Mask", run: () => editor.edit("Mask cleared", (mask) => mask.clear()), enabled: painted },
    { id: "grow", label: "Grow the mask", icon: "grow", keys: ["G"], group: "Mask", run: () => void work.reach(false), enabled: painted },
    { id: "shrink", label: "Shrink the mask", icon: "shrink", keys: ["Shift+G"], group: "Mask", run: () => void work.reach(true), enabled: painted },
    { id: "edge", label: "Preview the soft edge", icon: "edge", keys: ["Shift+E"], group: "Mask", run: () => editor.edge.toggle(), pressed: () => editor.edge.on },
    { id: "previous-mask", label: "Previous mask", icon: "previous-mask", keys: ["Shift+P"], group: "Mask", run: () => void work.previous(), enabled: () => free() && work.previousUrl !== null },
    { id: "select-text", label: "Select text", icon: "text", keys: ["T"], group: "Mask", run: () => void work.selectText(), enabled: () => free() && noText() === null, missing: noText },
    { id: "import-mask", label: "Import a mask", icon: "upload", keys: ["Shift+O"], group: "Mask", run: page.importMask, enabled: free },
    { id: "export-mask", label: "Export the mask", icon: "download", keys: ["Shift+S"], group: "Mask", run: () => void work.exportFile(), enabled: () => !editor.empty },
    { id: "zoom-in", label: "Zoom in", icon: "zoom-in", keys: ["+", "="], group: "View", run: () => editor.zoomBy(1.25) },
    { id: "zoom-out", label: "Zoom out", icon: "zoom-out", keys: ["-"], group: "View", run: () => editor.zoomBy(0.8) },
    { id: "fit", label: "Fit the photo", icon: "fit", keys: ["Mod+0"], group: "View", run: () => editor.fit() },
    { id: "actual-size", label: "Actual size", icon: "one-to-one", keys: ["Mod+1"], group: "View", run: () => editor.actualSize() },
    { id: "full-screen", label: "Full screen", icon: "full-screen", keys: ["F"], group: "View", run: page.fullScreen, pressed: page.isFullScreen },
    { id: "compare", label: "Before and after", icon: "compare", keys: ["C"], group: "View", run: () => void editor.compare.toggle(), enabled: () => editor.canCompare, pressed: () => editor.compare.open },
    { id: "origins", label: "Show sources", icon: "target", keys: ["S"], group: "View", run: () => void editor.origins.toggle(), enabled: () => editor.origins.offered, pressed: () => editor.origins.on },
    { id: "fill", label: "Fill the hole", icon: "needle", keys: ["Mod+Enter"], group: "Fill", run: () => editor.fills.fill(), enabled: painted },
    { id: "fill-all", label: "Try all models", icon: "pictures", keys: ["Mod+Shift+Enter"], group: "Fill", run: () => editor.fills.askToTryAll(), enabled: painted },
    { id: "auto-run", label: "Run when I let go", icon: "needle", keys: ["A"], group: "Fill", run: () => editor.setAutoRun(!editor.autoRun), pressed: () => editor.autoRun },
    { id: "cancel", label: "Stop the fill", icon: "close", keys: ["Shift+X"], group: "Fill", run: () => void editor.run.cancel(), enabled: () => editor.run.canCancel },
    { id: "leave-run", label: "Paint on meanwhile", icon: "brush", keys: ["Shift+M"], group: "Fill", run: () => void editor.leaveRun(), enabled: () => editor.run.canLeave },
    { id: "trials", label: "All results of this hole", icon: "pictures", keys: ["V"], group: "Fill", run: () => editor.openTrials(), enabled: () => free() && editor.arrivals.siblings.length > 1 },
    { id: "download", label: "Download as PNG", icon: "download", keys: ["Mod+S"], group: "Fill", run: () => window.location.assign(downloadUrl(editor.current.download_url, "png")) },
    { id: "help", label: "Keys and gestures", icon: "keyboard", keys: ["?"], group: "View", run: page.help },
  ];
}
