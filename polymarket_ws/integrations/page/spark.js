/** A spark line: the last minutes of a price, drawn as SVG. */

import { svg } from "./dom.js";
import { WINDOW_MS } from "./market-state.js";

const WIDTH = 160;
const HEIGHT = 36;
const MARGIN = 3;

/** A price that stands still is a flat line, not noise that fills the box: two cents are the least. */
const LEAST_RANGE = 0.02;

export class Spark {
  #line = svg("path", { class: "line" });
  #area = svg("path", { class: "area" });
  #base = svg("line", { class: "base" });

  constructor() {
    this.root = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      this.#area,
      this.#base,
      this.#line,
    );
    this.root.setAttribute("part", "spark");
  }

  /**
   * @param {import("./market-state.js").Outcome} outcome
   * @param {number} now Unix milliseconds
   */
  draw(outcome, now) {
    const points = outcome.points;
    if (points.length === 0) return;
    const begin = Math.max(now - WINDOW_MS, points[0].at);
    // A young page fills the width with what it has, at least half a minute of it.
    const length = Math.max(30_000, now - begin);
    const prices = points.map((point) => point.price);
    let [low, high] = [Math.min(...prices), Math.max(...prices)];
    const lacking = LEAST_RANGE - (high - low);
    if (lacking > 0) [low, high] = [low - lacking / 2, high + lacking / 2];
    const x = (at) => (WIDTH * (1 - (now - Math.max(at, begin)) / length)).toFixed(1);
    const y = (price) =>
      (MARGIN + (HEIGHT - 2 * MARGIN) * (1 - (price - low) / (high - low))).toFixed(1);
    // Steps: a price holds until the next one.
    let path = `M${x(points[0].at)} ${y(points[0].price)}`;
    for (const point of points.slice(1)) path += `H${x(point.at)}V${y(point.price)}`;
    path += `H${WIDTH}`;
    this.#line.setAttribute("d", path);
    this.#area.setAttribute("d", `${path}V${HEIGHT}H${x(points[0].at)}Z`);
    const base = y(Math.min(high, Math.max(low, outcome.first ?? low)));
    this.#base.setAttribute("x2", String(WIDTH));
    this.#base.setAttribute("y1", base);
    this.#base.setAttribute("y2", base);
  }
}

/**
 * The same in words.
 * @param {import("./market-state.js").Outcome} outcome
 * @param {(price: number) => string} written
 */
export function sparkWords(outcome, written) {
  if (outcome.points.length === 0) return "no price yet";
  const prices = outcome.points.map((point) => point.price);
  return `between ${written(Math.min(...prices))} and ${written(Math.max(...prices))}`;
}
