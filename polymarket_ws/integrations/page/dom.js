/** The little that the components share to build and to change what is on the screen. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Build an element.
 * @param {string} tag
 * @param {Record<string, string>} [attributes] never `style`: a strict CSP forbids it
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * Build a table.
 * @param {string} name its class and its part
 * @param {Node} caption
 * @param {string[][]} columns the heading and the class of each
 * @param {Node} body
 */
export function table(name, caption, columns, body) {
  const cols = columns.map(([, kind]) => h("col", { class: kind }));
  const heads = columns.map(([text, kind]) => h("th", { scope: "col", class: kind }, text));
  return h(
    "table",
    { class: name, part: name },
    caption,
    h("colgroup", {}, ...cols),
    h("thead", {}, h("tr", {}, ...heads)),
    body,
  );
}

/**
 * Build an SVG element.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * Write a text, if it is another one: what did not change costs no layout.
 * @param {Element} node
 * @param {string} text
 * @returns {boolean} whether it was another one
 */
export function put(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

/**
 * Set an attribute, if it is another one.
 * @param {Element} node
 * @param {string} name
 * @param {string} value
 */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Nobody reads numbers that change more often than this. */
const DRAW_MS = 100;

/** @type {Set<() => void>} */
const waiting = new Set();
let asked = false;
let drawn = -DRAW_MS;

/**
 * Make a function that asks for one drawing, however often it is called. Everything on the page is
 * drawn in the same frame: the browser lays out and paints once.
 * @param {() => void} draw
 */
export function batched(draw) {
  return () => {
    waiting.add(draw);
    if (asked) return;
    asked = true;
    const early = drawn + DRAW_MS - performance.now();
    if (early > 0) setTimeout(() => requestAnimationFrame(drawAll), early);
    else requestAnimationFrame(drawAll);
  };
}

function drawAll() {
  asked = false;
  drawn = performance.now();
  const draws = [...waiting];
  waiting.clear();
  for (const draw of draws) {
    try {
      draw();
    } catch (error) {
      reportError(error); // and let the others draw
    }
  }
}

/** @param {string} css */
export function sheet(css) {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}
