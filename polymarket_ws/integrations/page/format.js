/** How numbers and times are written. Pure. */

const NOTHING = "–";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en-US", {
  notation: "compact",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const clockTime = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const shortTime = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

/**
 * How many digits of a cent a tick size has: 0 for 0.01, 1 for 0.001.
 * @param {string | null | undefined} tick
 */
export function places(tick) {
  const digits = String(tick ?? "").split(".")[1] ?? "";
  return Math.max(0, digits.replace(/0+$/, "").length - 2);
}

/**
 * A price in cents. No digit of the exchange's is lost: it has more places where it needs them.
 * @param {string | number | null | undefined} price in dollars
 * @param {number} [digits] of a cent, at least
 */
export function cents(price, digits = 0) {
  if (price === null || price === undefined) return NOTHING;
  const needed = typeof price === "string" ? Math.max(digits, places(price)) : digits;
  return `${(Number(price) * 100).toFixed(needed)}¢`;
}

/**
 * A price as a probability, in two parts of different weight. What is only nearly certain never
 * reads as certain.
 * @param {number | null} price
 * @returns {[whole: string, tenths: string]}
 */
export function percent(price) {
  if (price === null) return [NOTHING, ""];
  const most = price < 1 ? 999 : 1000;
  const least = price > 0 ? 1 : 0;
  const tenths = Math.min(most, Math.max(least, halfToEven(price * 1000)));
  return [String(Math.floor(tenths / 10)), `.${tenths % 10}%`];
}

/**
 * Round a half to the even neighbour: an outcome and its mirror still sum to 100 then.
 * @param {number} value
 */
function halfToEven(value) {
  const below = Math.floor(value);
  const isHalf = Math.abs(value - below - 0.5) < 1e-6;
  return isHalf ? below + (below % 2) : Math.round(value);
}

/**
 * A number of shares in at most seven characters, with its hundredths where there are any.
 * @param {string | number | null | undefined} size
 */
export function shares(size) {
  if (size === null || size === undefined) return NOTHING;
  const value = Number(size);
  if (value >= 100_000) return compact.format(value);
  return (value < 1000 ? fine : whole).format(value);
}

/**
 * The same without hundredths, for columns that are read at a glance.
 * @param {string | number} size
 */
export function wholeShares(size) {
  const value = Number(size);
  if (value > 0 && value < 1) return "<1";
  return (value >= 100_000 ? compact : whole).format(value);
}

/**
 * A duration: `0.4 s`, `42 s`, `3 min`, `2 h`.
 * @param {number} seconds
 */
export function span(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/**
 * A duration that is still growing: nobody reads its tenths.
 * @param {number} seconds
 */
export function ago(seconds) {
  if (seconds < 1) return "just now";
  return `${seconds < 10 ? `${Math.floor(seconds)} s` : span(seconds)} ago`;
}

/** @param {number | null | undefined} ms Unix milliseconds */
export function clock(ms) {
  return ms ? clockTime.format(ms) : "--:--:--";
}

/** @param {number} ms Unix milliseconds */
export function hourMinute(ms) {
  return shortTime.format(ms);
}

/**
 * `BUY` as `Buy`, whatever the case.
 * @param {string | null | undefined} word
 */
export function title(word) {
  const text = String(word ?? "")
    .replaceAll("_", " ")
    .toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
