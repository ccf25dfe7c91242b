/**
 * The terms of an optimised loss as curves: collecting them while a model works, and what is drawn of them.
 *
 * Nothing here touches the page; `curve-view.js` does.
 */

/**
 * @typedef {{part: string, terms: Record<string, number>, begins: boolean}} Point
 * @typedef {{lines: string, borders: string, dot: string, log: boolean}} Drawing paths in a box of WIDTH × HEIGHT
 * @typedef {{parts: string[], part: number[], terms: Record<string, (number | null)[]>}} Note what is kept of a result
 */

export const MOST_POINTS = 120;
export const WIDTH = 200;
export const HEIGHT = 30;
const MARGIN = 3;
const LOG_FROM = 20;
const LOG_DEPTH = 1e-4;

const WORDS = /** @type {Record<string, string>} */ ({
  detail: "Fine texture",
  global: "Texture of the whole",
  boundary: "Fit to the known pixels",
  shading: "Light and shade",
  content: "Closeness to the first guess",
  texture: "Likeness to the photo’s texture",
  variation: "Smoothness",
});

/**
 * @param {string} term
 * @returns {string} what it measures, in plain words
 */
export function termName(term) {
  return WORDS[term] ?? term.charAt(0).toUpperCase() + term.slice(1).replaceAll("_", " ");
}

/**
 * A stage in two: what is worked on, and how far that is. “Scale 1/2, iteration 3/60” has both.
 *
 * @param {string} stage
 * @returns {{part: string, step: string}}
 */
export function splitStage(stage) {
  const found = /^(.+), (iteration \d+\/\d+|looking for matches)$/.exec(stage);
  return found ? { part: found[1] ?? "", step: (found[2] ?? "").replace("/", " of ") } : { part: stage, step: "" };
}

/** Everything heard of one job's loss, in at most `MOST_POINTS` points. */
export class CurveLog {
  constructor() {
    /** @type {Point[]} */
    this.kept = [];
    /** @type {Point | null} */
    this.latest = null;
    this.stride = 1;
    this.heard = 0;
  }

  /**
   * What is kept of a result.
   *
   * @param {Note} note
   * @returns {Point[]}
   */
  static ofNote({ parts, part, terms }) {
    return part.map((number, index) => ({
      part: parts[number] ?? "",
      begins: index === 0 || part[index - 1] !== number,
      terms: Object.fromEntries(
        Object.entries(terms).flatMap(([name, values]) => (typeof values[index] === "number" ? [[name, values[index]]] : [])),
      ),
    }));
  }

  /**
   * @param {string} part
   * @param {Record<string, number>} terms
   * @returns {boolean} whether it was news; while a model does something else it says the same again
   */
  add(part, terms) {
    const { latest } = this;
    if (latest && sameTerms(latest.terms, terms)) return false;
    const point = { part, terms, begins: latest?.part !== part };
    const last = this.kept.length - 1;
    if (this.heard % this.stride === 0) this.kept.push(point);
    else this.kept[last] = keptOf(/** @type {Point} */ (this.kept[last]), point);
    this.heard += 1;
    this.latest = point;
    if (this.kept.length >= MOST_POINTS) this.#thin();
    return true;
  }

  /** @returns {Point[]} */
  get points() {
    const { kept, latest } = this;
    return latest && kept[kept.length - 1] !== latest ? [...kept, latest] : [...kept];
  }

  /** Every second point goes, but not the first of a part: there a loss is highest. */
  #thin() {
    const thinned = [];
    for (let index = 0; index < this.kept.length; index += 2) {
      const first = /** @type {Point} */ (this.kept[index]);
      const second = this.kept[index + 1];
      thinned.push(second ? keptOf(first, second) : first);
    }
    this.kept = thinned;
    this.stride *= 2;
    this.heard = thinned.length * this.stride;
  }
}

/**
 * @param {Point} first
 * @param {Point} second
 */
const keptOf = (first, second) => (second.begins && !first.begins ? second : first);

/**
 * @param {Record<string, number>} one
 * @param {Record<string, number>} other
 */
function sameTerms(one, other) {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/**
 * @param {Point[]} points
 * @returns {string[]} the terms, in the order in which they came up
 */
export function termsOf(points) {
  return [...new Set(points.flatMap((point) => Object.keys(point.terms)))];
}

/**
 * One term as paths: a line for each part of the work, borders between parts, and a dot at the latest value.
 *
 * @param {Point[]} points
 * @param {string} term
 * @returns {Drawing}
 */
export function draw(points, term) {
  const values = points.map((point) => point.terms[term]);
  const { height, log } = scaleOf(values);
  const last = Math.max(1, points.length - 1);
  const across = (/** @type {number} */ index) => round(MARGIN + (index / last) * (WIDTH - 2 * MARGIN));
  let lines = "";
  let borders = "";
  let dot = "";
  let isDown = false;
  points.forEach((point, index) => {
    const value = values[index];
    if (point.begins && index > 0) {
      borders += `M${across(index)} 0V${HEIGHT}`;
      isDown = false;
    }
    if (value === undefined) {
      isDown = false;
      return;
    }
    const place = `${across(index)} ${round(height(value))}`;
    // A point alone still shows: a line of no length has round ends.
    lines += isDown ? `L${place}` : `M${place}h0`;
    dot = `M${place}h0`;
    isDown = true;
  });
  return { lines, borders, dot, log };
}

/**
 * From values to heights in the box: logarithmic where they differ much, and then over four decades at most.
 *
 * @param {(number | undefined)[]} values
 * @returns {{height: (value: number) => number, log: boolean}}
 */
function scaleOf(values) {
  const numbers = values.filter((value) => value !== undefined);
  const high = Math.max(...numbers, 0);
  const positive = numbers.filter((value) => value > 0);
  const log = positive.length > 0 && high / Math.min(...positive) > LOG_FROM;
  const low = log ? Math.max(Math.min(...positive), high * LOG_DEPTH) : Math.min(...numbers, high);
  const room = HEIGHT - 2 * MARGIN;
  const span = log ? Math.log(high / low) : high - low;
  const share = (/** @type {number} */ value) => {
    if (span <= 0) return high > 0 ? 0.5 : 0;
    return log ? Math.log(Math.max(value, low) / low) / span : (value - low) / span;
  };
  return { height: (value) => MARGIN + room * (1 - share(value)), log };
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;

const WHOLE = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 2 });
const TINY = new Intl.NumberFormat("en", { notation: "scientific", maximumSignificantDigits: 2 });

/**
 * @param {number} value
 * @returns {string} “1.8K”, “0.032”, “3.1E-5”
 */
export function shortNumber(value) {
  return value !== 0 && Math.abs(value) < 1e-3 ? TINY.format(value) : WHOLE.format(value);
}

/**
 * What a curve shows, for those who do not see it.
 *
 * @param {Point[]} points
 * @param {string} term
 * @returns {string}
 */
export function describe(points, term) {
  const shown = points.filter((point) => point.terms[term] !== undefined);
  const last = shown[shown.length - 1];
  if (!last) return `${termName(term)}: no value yet.`;
  const first = shown.find((point) => point.part === last.part) ?? last;
  const [from, to] = [first, last].map((point) => point.terms[term] ?? 0);
  const now = shortNumber(to ?? 0);
  return first === last
    ? `${termName(term)}: ${now} at the beginning of “${last.part}”.`
    : `${termName(term)}: from ${shortNumber(from ?? 0)} to ${now} in “${last.part}”.`;
}
