/** What this person likes, kept in this browser. */

const PREFIX = "reweave:";

export const DEFAULTS = Object.freeze({
  maskColour: "#e23428",
  maskOpacity: 0.5,
  autoRun: false,
  tolerance: 24,
  contiguous: true,
  reach: 8,
  overlayOpacity: 0.7,
});

/** @typedef {{-readonly [K in keyof typeof DEFAULTS]: (typeof DEFAULTS)[K] extends number ? number :
 *   (typeof DEFAULTS)[K] extends boolean ? boolean : string}} Choices */

/**
 * @template {keyof Choices} K
 * @param {K} name
 * @returns {Choices[K]}
 */
export function preference(name) {
  const usual = /** @type {Choices[K]} */ (DEFAULTS[name]);
  try {
    const kept = JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");
    return typeof kept === typeof usual ? kept : usual;
  } catch {
    // Storage may be switched off, or hold something else: the usual is as good.
    return usual;
  }
}

/**
 * @template {keyof Choices} K
 * @param {K} name
 * @param {Choices[K]} value
 */
export function prefer(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch (error) {
    console.info("This browser keeps no preferences.", error);
  }
}
