/** Small helpers around the document; nothing here knows what Reweave is. */

/**
 * The element with this id, of the class that is asked for. A page without it is a programming error.
 *
 * @template {Element} T
 * @param {string} id
 * @param {new (...args: any[]) => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) {
    throw new Error(`The page has no ${kind.name} with the id “${id}”.`);
  }
  return element;
}

/**
 * Make an element. Text is always set as text, never as markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes] `true` sets an empty attribute;
 *   `false`, `null` and `undefined` leave it out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * One drawing of the icon sheet, hidden from assistive technology: its button carries the name.
 *
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${document.body.dataset.icons ?? ""}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * The value of a `json_script` element.
 *
 * @param {string} id
 * @returns {any}
 */
export function readJson(id) {
  return JSON.parse(byId(id, HTMLScriptElement).textContent ?? "null");
}
