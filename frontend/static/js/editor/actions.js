/**
 * Actions as data: one list makes the buttons, the keys and the help page, so they cannot disagree.
 *
 * A key is written as in “Mod+Shift+Z”; Mod is Ctrl, or Cmd on a Mac. Shift counts with letters and named keys only:
 * on other keys it is part of how the character is typed.
 */

/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string} label
 * @property {string} icon
 * @property {string[]} keys
 * @property {string} group heading on the help page
 * @property {() => void} run
 * @property {() => boolean} [enabled]
 * @property {() => string | null} [missing] what the studio lacks for it, in a sentence; null when nothing is missing
 * @property {() => boolean} [pressed] for buttons that stay down
 * @property {boolean} [onStage] whether its keys count only while the photo has the focus, not on a button
 */

/** @typedef {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">} KeyLike */

/**
 * @param {KeyLike} event
 * @returns {string}
 */
export function keyName(event) {
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const shiftCounts = event.key.length > 1 || /^[A-Z]$/.test(key);
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Mod");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey && shiftCounts) parts.push("Shift");
  parts.push(key);
  return parts.join("+");
}

/**
 * @param {Action[]} actions
 * @returns {Map<string, Action>}
 * @throws {Error} when two actions want the same key
 */
export function keymap(actions) {
  const map = new Map();
  for (const action of actions) {
    for (const key of action.keys) {
      const taken = map.get(key);
      if (taken) throw new Error(`“${key}” is wanted by “${taken.id}” and by “${action.id}”.`);
      map.set(key, action);
    }
  }
  return map;
}

/**
 * @param {string} key
 * @param {boolean} mac
 * @returns {string[]} the caps to show
 */
export function keyCaps(key, mac) {
  const names = /** @type {Record<string, string>} */ ({ Mod: mac ? "⌘" : "Ctrl", Shift: mac ? "⇧" : "Shift" });
  // “+” is a key of its own as well as what joins them.
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts.map((part) => names[part] ?? part);
}

/**
 * @param {string} key
 * @returns {string} for `aria-keyshortcuts`
 */
export function ariaKey(key) {
  return key.replace("Mod", "Control");
}

/**
 * @param {EventTarget | null} target
 * @returns {boolean} whether keys belong to what is being typed or chosen there
 */
export function isTyping(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["range", "checkbox", "radio", "button"].includes(target.type);
}
