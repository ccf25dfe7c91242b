/** The page of keys and gestures, written from the list of actions. */

import { make } from "../lib/dom.js";
import { keyCaps } from "./actions.js";

/** @typedef {import("./actions.js").Action} Action */

const GESTURES = [
  ["Paint", "drag, one finger, or pen"],
  ["Erase with any tool", "other button, Ctrl held, or the pen’s far end"],
  ["Outline with corners", "click with the lasso, double click closes"],
  ["Pan", "Space or middle button held, two fingers"],
  ["Zoom", "wheel, or pinch"],
  ["Brush size", "Alt and wheel"],
  ["See the version before", "Tab held over the photo"],
  ["Look at another version", "rest on it in the strip below"],
  ["Paint by keyboard", "arrow keys move, Enter lowers and lifts"],
  ["Another picture", "Ctrl V pastes one, or drop it here"],
];

/**
 * @param {HTMLElement} list
 * @param {Action[]} actions
 * @param {boolean} mac
 */
export function writeHelp(list, actions, mac) {
  for (const group of new Set(actions.map((action) => action.group))) {
    const section = make("section", {}, make("h3", {}, group));
    for (const action of actions.filter((entry) => entry.group === group && entry.keys.length > 0)) {
      const caps = make("span", {});
      for (const [i, cap] of keyCaps(action.keys[0] ?? "", mac).entries()) caps.append(i ? " " : "", make("kbd", {}, cap));
      section.append(make("div", { class: "keys__row" }, make("span", {}, action.label), caps));
    }
    list.append(section);
  }
  const section = make("section", {}, make("h3", {}, "Gestures"));
  for (const [what, how] of GESTURES) {
    section.append(make("div", { class: "keys__row" }, make("span", {}, what ?? ""), make("span", {}, how ?? "")));
  }
  list.append(section);
}
