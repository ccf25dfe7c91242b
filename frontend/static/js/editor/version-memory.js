/** Which version of a picture was open in this tab, so that a reload comes back to it. */

/** @typedef {import("../types.js").Version} Version */

/** @param {string} picture */
const key = (picture) => `reweave:version:${picture}`;

/**
 * @param {string} picture
 * @param {Version[]} versions
 * @returns {Version | null}
 */
export function lastOpened(picture, versions) {
  const id = sessionStorage.getItem(key(picture));
  return versions.find((version) => version.id === id) ?? null;
}

/**
 * @param {string} picture
 * @param {string} version
 */
export function rememberOpened(picture, version) {
  sessionStorage.setItem(key(picture), version);
}
