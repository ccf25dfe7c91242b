/** How long to wait before the next try: doubling, with jitter so that many pages do not come back at once. */

export class Backoff {
  /**
   * @param {{first?: number, most?: number, random?: () => number}} [options] milliseconds
   */
  constructor({ first = 400, most = 15000, random = Math.random } = {}) {
    this.first = first;
    this.most = most;
    this.random = random;
    this.failures = 0;
  }

  /** @returns {number} milliseconds, between half and all of the present step */
  next() {
    const step = Math.min(this.most, this.first * 2 ** this.failures);
    this.failures += 1;
    return Math.round(step * (0.5 + this.random() / 2));
  }

  reset() {
    this.failures = 0;
  }
}
