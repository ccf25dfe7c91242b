/** The versions of a picture as a line of stitches with branches: what follows what, and where a branch begins. */

/** @typedef {import("../types.js").Version} Version */
/**
 * @typedef {object} Place
 * @property {Version} version
 * @property {number} number in the order they were made, from 1
 * @property {number} lane 0 for the first line, counting up with each branch
 * @property {number | null} branchOf number of the version this branch begins at, on its first version only
 */

/**
 * Each version comes right after its parent where that is free; a second child begins a branch after the first line.
 *
 * @param {Version[]} versions oldest first
 * @returns {Place[]} in the order to show them
 */
export function places(versions) {
  const numbers = new Map(versions.map((version, i) => [version.id, i + 1]));
  /** @type {Map<string | null, Version[]>} */
  const children = new Map();
  for (const version of versions) {
    const parent = version.parent !== null && numbers.has(version.parent) ? version.parent : null;
    children.set(parent, [...(children.get(parent) ?? []), version]);
  }
  /** @type {Place[]} */
  const line = [];
  let lanes = -1;
  // Branches wait until the line they leave is at its end; without recursion, as a line can be very long.
  /** @type {{version: Version, branchOf: number | null}[]} */
  const waiting = (children.get(null) ?? []).map((version) => ({ version, branchOf: null })).reverse();
  for (;;) {
    const start = waiting.pop();
    if (!start) return line;
    lanes += 1;
    /** @type {{version: Version, branchOf: number | null}[]} */
    const branches = [];
    /** @type {Version | undefined} */
    let version = start.version;
    let { branchOf } = start;
    while (version) {
      const number = numbers.get(version.id) ?? 0;
      line.push({ version, number, lane: lanes, branchOf });
      branchOf = null;
      /** @type {Version[]} */
      const [next, ...others] = children.get(version.id) ?? [];
      branches.push(...others.map((other) => ({ version: other, branchOf: number })));
      version = next;
    }
    waiting.push(...branches.reverse());
  }
}
