/** `<polymarket-orders src="…/events">`: what becomes of the user's own orders. */

import { h, mark, put, table } from "./dom.js";
import { LiveElement } from "./element.js";
import { cents, clock, shares, title } from "./format.js";
import { orders as styles } from "./styles.js";

const MOST_ORDERS = 8;
const MOST_FILLS = 8;

/** Of somebody who trades fast not every end is read aloud. */
const VOICE_MS = 5000;

const ORDER_COLUMNS = [
  ["Order", "what"],
  ["Filled", "filled"],
  ["Way", "way"],
];
const FILL_COLUMNS = [
  ["Time", "time"],
  ["Fill", "what"],
  ["Status", "status"],
];

const line = (kind) => h("span", { class: `line ${kind}` });

export class PolymarketOrders extends LiveElement {
  #spoken = 0;
  #told = null;
  #orders = new Rows(
    MOST_ORDERS,
    orderRow,
    "No order yet: one is shown as soon as something happens to it.",
  );
  #fills = new Rows(MOST_FILLS, fillRow, "No fill yet.");

  constructor() {
    super(styles);
    this.badge = h("p", { class: "badge", part: "state" });
    this.voice = h("p", { class: "silent", role: "status" });
    this.endVoice = h("p", { class: "silent", role: "status" });
    this.counts = h("span");
    this.note = h("span", { part: "note" });
    const ordersCaption = h("caption", {}, "Orders, open ones first");
    const orders = table("orders", ordersCaption, ORDER_COLUMNS, this.#orders.body);
    const fillsCaption = h("caption", {}, "Fills, newest first");
    const fills = table("fills", fillsCaption, FILL_COLUMNS, this.#fills.body);
    this.shadowRoot.append(
      h(
        "section",
        { class: "card", part: "card", "aria-labelledby": "title" },
        h(
          "div",
          { class: "head", part: "header" },
          h("h2", { id: "title", part: "title" }, "Your orders"),
          this.badge,
        ),
        this.voice,
        this.endVoice,
        h(
          "div",
          { class: "tables" },
          h("div", {}, orders, this.#orders.nothing),
          h("div", {}, fills, this.#fills.nothing),
        ),
        h("p", { class: "foot", part: "footer" }, this.counts, this.note),
      ),
    );
  }

  wish() {
    return { market: null, user: true };
  }

  concerns(subject) {
    return subject === null || subject === this.feed?.account;
  }

  draw(now) {
    const account = this.feed.account;
    /** @type {import("./story.js").Story} */
    const told = account.complaint
      ? { tone: "wrong", word: "Not shown", detail: account.complaint }
      : this.story(now);
    this.drawState(this.badge, this.voice, told);
    this.#orders.draw(account.orders, (cells, order) =>
      drawOrder(cells, order, this.#names(order)),
    );
    this.#fills.draw(account.lastFills, (cells, fill) => drawFill(cells, fill, this.#names(fill)));
    const counts = `${account.open.size} open, ${account.filled} filled, ${account.cancelled} cancelled`;
    put(this.counts, counts);
    put(this.note, told.detail);
    this.#sayEnd(account.lastEnded, now);
  }

  /** The words for ids, where the server told of that market. */
  #names({ market, assetId, outcome }) {
    const found = this.feed.find(market);
    const token = found?.outcomes.find((one) => one.assetId === assetId);
    return {
      market: found?.question ?? `${market.slice(0, 10)}…`,
      outcome: outcome || token?.name || "shares",
    };
  }

  #sayEnd(order, now) {
    if (order === null || order === this.#told || now - this.#spoken < VOICE_MS) return;
    this.#told = order;
    this.#spoken = now;
    const what = `${title(order.side)} ${shares(order.size)} ${this.#names(order).outcome}`;
    put(this.endVoice, `Order ${order.way.at(-1)}: ${what} at ${cents(order.price)}`);
  }
}

/** Rows of a table, each of which stays with its item wherever that goes. */
class Rows {
  #most;
  #make;
  /** @type {Map<string, any>} */ #cells = new Map();

  /**
   * @param {number} most
   * @param {() => any} make
   * @param {string} nothing said when there are none
   */
  constructor(most, make, nothing) {
    this.#most = most;
    this.#make = make;
    this.body = h("tbody");
    this.nothing = h("p", { class: "none" }, nothing);
  }

  draw(items, fill) {
    const shown = items.slice(0, this.#most);
    const kept = new Map();
    shown.forEach((item, index) => {
      const key = item.key ?? item.id;
      const cells = this.#cells.get(key) ?? this.#make();
      kept.set(key, cells);
      fill(cells, item);
      const there = this.body.children[index] ?? null;
      if (there !== cells.row) this.body.insertBefore(cells.row, there);
    });
    for (const [key, cells] of this.#cells) if (!kept.has(key)) cells.row.remove();
    this.#cells = kept;
    this.nothing.hidden = shown.length > 0;
  }
}

function orderRow() {
  const [side, rest, market] = [h("span", { class: "side" }), h("span"), line("quiet")];
  const [number, part, before, last] = [
    h("span"),
    h("span", { class: "fill" }),
    h("span", { class: "before" }),
    h("b"),
  ];
  const time = line("quiet");
  const row = h(
    "tr",
    {},
    h("th", { scope: "row" }, h("span", { class: "line" }, side, " ", rest), market),
    h("td", {}, number, h("span", { class: "meter", part: "meter" }, part)),
    h("td", { class: "way" }, h("span", { class: "line" }, before, last), time),
  );
  return { row, side, rest, market, number, part, before, last, time };
}

function drawOrder(cells, order, names) {
  mark(cells.row, "data-end", order.end);
  mark(cells.row, "data-order", order.id);
  drawSide(cells.side, order.side);
  put(cells.rest, `${names.outcome} at ${cents(order.price)}`);
  put(cells.market, names.market);
  put(cells.number, `${shares(order.matched)} of ${shares(order.size)}`);
  const part = order.size > 0 ? Math.min(1, order.matched / order.size) : 0;
  cells.part.style.setProperty("--part", part.toFixed(3));
  put(
    cells.before,
    order.way
      .slice(0, -1)
      .map((word) => `${word} → `)
      .join(""),
  );
  put(cells.last, order.way.at(-1) ?? "");
  put(cells.time, clock(order.at) + (order.recovered ? ", recovered" : ""));
}

function fillRow() {
  const [time, side, rest, market] = [
    h("td"),
    h("span", { class: "side" }),
    h("span"),
    line("quiet"),
  ];
  const [status, role] = [line(""), line("quiet")];
  const row = h(
    "tr",
    {},
    time,
    h("td", {}, h("span", { class: "line" }, side, " ", rest), market),
    h("td", { class: "status" }, status, role),
  );
  return { row, time, side, rest, market, status, role };
}

function drawFill(cells, fill, names) {
  put(cells.time, clock(fill.at));
  drawSide(cells.side, fill.side);
  put(cells.rest, `${shares(fill.size)} ${names.outcome} at ${cents(fill.price)}`);
  put(cells.market, names.market);
  put(cells.status, title(fill.status) + (fill.recovered ? ", recovered" : ""));
  cells.status.className = `line ${{ CONFIRMED: "up", FAILED: "down", RETRYING: "down" }[fill.status] ?? ""}`;
  put(cells.role, title(fill.role));
}

function drawSide(node, side) {
  put(node, title(side));
  node.className = `side ${side === "BUY" ? "up" : "down"}`;
}
