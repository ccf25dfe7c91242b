/** The magic wand: a click takes what has the colour under it. What is found comes later, from a worker. */

import { EMPTY } from "../geometry.js";

/** @typedef {import("./tool.js").Tool} Tool */
/** @typedef {import("./tool.js").Dab} Dab */
/** @typedef {import("./tool.js").MaskRaster} MaskRaster */

/** @implements {Tool} */
export class Wand {
  /** @param {(dab: Dab) => void} onPick */
  constructor(onPick) {
    this.id = "wand";
    this.label = "magic wand";
    this.paints = true;
    this.erases = false;
    this.round = false;
    this.onPick = onPick;
    /** @type {Dab | null} */
    this.at = null;
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab} dab
   */
  down(_mask, dab) {
    this.at = dab;
    return { ...EMPTY };
  }

  /**
   * @param {MaskRaster} _mask
   * @param {Dab[]} dabs
   */
  move(_mask, dabs) {
    this.at = dabs[dabs.length - 1] ?? this.at;
    return { ...EMPTY };
  }

  up() {
    const { at } = this;
    this.at = null;
    if (at) this.onPick(at);
    return { ...EMPTY };
  }

  cancel() {
    this.at = null;
  }
}
