/** A list of small curves, one a term; lines are redrawn in place, so that nothing flickers. */

import { make } from "../lib/dom.js";
import { describe, draw, HEIGHT, shortNumber, termName, termsOf, WIDTH } from "./curves.js";

/** @typedef {import("./curves.js").Point} Point */
/** @typedef {{row: HTMLElement, value: HTMLElement, svg: SVGSVGElement, paths: Record<string, SVGPathElement>}} Row */

const SPACE = "http://www.w3.org/2000/svg";

export class CurveView {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
  }

  /** @param {Point[]} points */
  show(points) {
    const terms = termsOf(points);
    for (const [term, { row }] of this.rows) {
      if (terms.includes(term)) continue;
      row.remove();
      this.rows.delete(term);
    }
    for (const term of terms) this.#draw(this.rows.get(term) ?? this.#row(term), points, term);
  }

  /**
   * @param {Row} row
   * @param {Point[]} points
   * @param {string} term
   */
  #draw({ value, svg, paths }, points, term) {
    const drawing = draw(points, term);
    for (const name of /** @type {const} */ (["borders", "lines", "dot"])) paths[name]?.setAttribute("d", drawing[name]);
    const latest = points.findLast((point) => point.terms[term] !== undefined);
    value.textContent = shortNumber(latest?.terms[term] ?? 0) + (drawing.log ? ", log scale" : "");
    svg.setAttribute("aria-label", describe(points, term));
  }

  /**
   * @param {string} term
   * @returns {Row}
   */
  #row(term) {
    const value = make("span", { class: "curve__value", "aria-hidden": "true" });
    const svg = document.createElementNS(SPACE, "svg");
    svg.setAttribute("class", "curve__picture");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    // The panel's width decides; strokes keep theirs.
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    /** @type {Record<string, SVGPathElement>} */
    const paths = {};
    for (const name of ["borders", "lines", "dot"]) {
      const path = document.createElementNS(SPACE, "path");
      path.setAttribute("class", `curve__${name}`);
      svg.append(path);
      paths[name] = path;
    }
    const row = make("li", { class: "curve", "data-term": term }, make("span", { class: "curve__name" }, termName(term)), value);
    row.append(svg);
    this.list.append(row);
    const parts = { row, value, svg, paths };
    this.rows.set(term, parts);
    return parts;
  }
}
