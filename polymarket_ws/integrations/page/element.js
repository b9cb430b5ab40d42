/** What both components are: members of a feed that draw themselves at most once a frame. */

import { batched, mark, put } from "./dom.js";
import { join } from "./feed.js";
import { story } from "./story.js";
import { shared } from "./styles.js";

/** Where the events are, if a site does not say: beside the folder that this file came from. */
const OWN_EVENTS = new URL("../events", import.meta.url).href;

export class LiveElement extends HTMLElement {
  static observedAttributes = ["src", "market"];

  /** @type {import("./feed.js").Feed | null} */ feed = null;
  /** @type {import("./feed.js").Member | null} */ #member = null;
  #ask = batched(() => this.feed && this.draw(Date.now()));

  /** @param {CSSStyleSheet} styles */
  constructor(styles) {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [shared, styles];
  }

  connectedCallback() {
    this.#member = { ...this.wish(), changed: (subject) => this.concerns(subject) && this.#ask() };
    this.feed = join(this.getAttribute("src") ?? OWN_EVENTS, this.#member);
    this.#ask();
  }

  disconnectedCallback() {
    this.feed?.remove(this.#member);
    this.feed = null;
  }

  attributeChangedCallback() {
    if (this.feed === null) return;
    this.disconnectedCallback();
    this.connectedCallback();
  }

  /** Draw soon. */
  redraw() {
    this.#ask();
  }

  /**
   * Draw the state of the connection.
   * @param {Element} badge what everybody sees
   * @param {Element} voice what is read aloud; only one element of each feed speaks of it
   * @param {import("./story.js").Story} told
   */
  drawState(badge, voice, told) {
    put(badge, told.word);
    mark(badge, "data-tone", told.tone);
    if (this.feed.isVoice(this.#member)) put(voice, told.word);
  }

  /** @param {number} now */
  story(now) {
    return story(this.feed, now);
  }

  /** @returns {{market: string | null, user: boolean}} */
  wish() {
    throw new Error("a component says what it wants");
  }

  /** @param {object | null} subject null: the feed itself */
  concerns(subject) {
    return subject === null;
  }

  /** @param {number} now Unix milliseconds */
  draw(now) {
    throw new Error(`a component draws itself, ${now}`);
  }
}
