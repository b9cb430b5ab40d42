/** `<polymarket-market src="…/events" market="slug">`: one market, live. */

import { h, mark, put, table } from "./dom.js";
import { LiveElement } from "./element.js";
import { cents, clock, hourMinute, percent, places, title, wholeShares } from "./format.js";
import { Spark, sparkWords } from "./spark.js";
import { market as styles } from "./styles.js";

/** Always so many rows: nothing jumps when there are more or fewer. */
const LEVELS = 6;
const TRADES = 6;

/** Letters that have room beside the prices; with more, the first column is wider. */
const LONG_NAME = 7;

const SMALLEST_CHANGE = 0.00005;

/** Half a tenth of a cent is rounded up for both outcomes, whatever binary fractions make of it. */
const NUDGE = 1e-9;

/** A book comes within a second of its subscription. After so much waiting something is wrong. */
const PATIENCE_MS = 20_000;

const silent = (text) => h("span", { class: "silent" }, text);
const OUTCOME_COLUMNS = [
  ["Outcome", "name"],
  ["Chance", "chance"],
  ["Bid", "price"],
  ["Ask", "price"],
  ["Change", "change"],
  ["5 minutes", "spark"],
];
const DEPTH_COLUMNS = [
  ["Size", "size"],
  ["Bid", "bid"],
  ["Ask", "ask"],
  ["Size", "size"],
];
const TRADE_COLUMNS = [
  ["Time", "time"],
  ["Side", "side"],
  ["Outcome", "outcome"],
  ["Size", "size"],
  ["Price", "price"],
];

export class PolymarketMarket extends LiveElement {
  /** @type {import("./market-state.js").MarketState | null} */ #market = null;
  #chosen = 0;
  /** Unix milliseconds since when a book is waited for; 0: it is not. */ #waitsSince = 0;
  /** @type {ReturnType<PolymarketMarket["outcomeRow"]>[]} */ #rows = [];

  constructor() {
    super(styles);
    this.question = h("h2", { part: "question", id: "question" }, "…");
    this.badge = h("p", { class: "badge", part: "state" });
    this.voice = h("p", { class: "silent", role: "status" });
    this.outcomeRows = h("tbody");
    this.depthCaption = h("caption", {}, "Order book");
    this.levels = Array.from({ length: LEVELS }, levelRow);
    this.trades = Array.from({ length: TRADES }, tradeRow);
    this.facts = h("span");
    this.note = h("span", { part: "note" });
    const outcomesCaption = h("caption", { class: "silent" }, "Outcomes and their prices");
    this.outcomes = table("outcomes", outcomesCaption, OUTCOME_COLUMNS, this.outcomeRows);
    const levels = h("tbody", {}, ...this.levels.map((level) => level.row));
    const depth = table("depth", this.depthCaption, DEPTH_COLUMNS, levels);
    const rows = h("tbody", {}, ...this.trades.map((trade) => trade.row));
    const trades = table("trades", h("caption", {}, "Last trades"), TRADE_COLUMNS, rows);
    this.shadowRoot.append(
      h(
        "article",
        { class: "card", part: "card", "aria-labelledby": "question" },
        h("div", { class: "head", part: "header" }, this.question, this.badge),
        this.voice,
        this.outcomes,
        h("div", { class: "below" }, depth, trades),
        h("p", { class: "foot", part: "footer" }, this.facts, this.note),
      ),
    );
  }

  wish() {
    return { market: this.getAttribute("market"), user: false };
  }

  concerns(subject) {
    return subject === null || subject === this.#market || this.#market === null;
  }

  draw(now) {
    const market = this.feed.find(this.getAttribute("market"));
    if (market !== this.#market) this.#turnTo(market);
    const told = this.story(now);
    if (market === null) {
      put(this.question, this.getAttribute("market") ?? "…");
      const unknown = this.feed.link === "live";
      this.drawState(
        this.badge,
        this.voice,
        unknown ? { ...told, tone: "wrong", word: "Not here" } : told,
      );
      put(this.note, unknown ? "the server does not tell of this market" : told.detail);
      return;
    }
    put(this.question, market.question);
    const waits = market.state === "syncing" && told.tone === "live";
    this.#waitsSince = waits ? this.#waitsSince || now : 0;
    const state = stateOf(market, told, waits && now - this.#waitsSince > PATIENCE_MS);
    this.drawState(this.badge, this.voice, state);
    if (market.resolved) put(this.voice, resolution(market));
    this.#drawOutcomes(market, now);
    this.#drawDepth(market);
    this.#drawTrades(market);
    const opened = market.opened ? `, change since ${hourMinute(market.opened)}` : "";
    put(this.facts, `Tick size ${cents(market.tick)}${opened}`);
    put(this.note, state.detail);
  }

  /** Nothing of one market may stand below the name of another. */
  #turnTo(market) {
    this.#market = market;
    this.#chosen = 0;
    this.#waitsSince = 0;
    this.#rows = [];
    this.outcomeRows.replaceChildren();
    this.#drawDepth(market);
    this.#drawTrades(market);
    put(this.facts, "");
  }

  #drawOutcomes(market, now) {
    while (this.#rows.length < market.outcomes.length) {
      const row = this.outcomeRow(this.#rows.length);
      this.#rows.push(row);
      this.outcomeRows.append(row.row);
    }
    const digits = places(market.tick);
    mark(this.outcomes, "data-digits", String(digits));
    const longest = Math.max(...market.outcomes.map((outcome) => outcome.name.length));
    this.outcomes.toggleAttribute("data-long", longest > LONG_NAME);
    market.outcomes.forEach((outcome, index) => {
      const row = this.#rows[index];
      put(row.name, outcome.name);
      mark(row.name, "title", outcome.name);
      mark(row.button, "aria-pressed", String(index === this.#chosen));
      const before = row.price;
      row.price = outcome.price;
      const [whole, tenths] = percent(outcome.price);
      const moved = [put(row.whole, whole), put(row.tenths, tenths)];
      if (moved.includes(true) && before !== null) {
        row.chanceCell.dataset.moved = outcome.price > before ? "up" : "down";
        row.chance.dataset.flash = row.chance.dataset.flash === "a" ? "b" : "a";
      }
      putPrice(row.bid, outcome.bid, digits);
      putPrice(row.ask, outcome.ask, digits);
      drawChange(row.change, outcome.change, digits);
      row.sparkCell.className = `spark ${directionOf(outcome.change)}`;
      row.spark.draw(outcome, now);
      put(
        row.sparkWords,
        sparkWords(outcome, (price) => cents(price, digits)),
      );
    });
  }

  #drawDepth(market) {
    const outcome = market?.outcomes[this.#chosen] ?? { name: "", bids: [], asks: [] };
    const empty = outcome.bids.length + outcome.asks.length === 0 ? ": empty" : "";
    put(this.depthCaption, `Order book${outcome.name && ` of ${outcome.name}${empty}`}`);
    const digits = places(market?.tick);
    const bids = cumulated(outcome.bids);
    const asks = cumulated(outcome.asks);
    const most = Math.max(bids.at(-1) ?? 0, asks.at(-1) ?? 0) || 1;
    this.levels.forEach((level, index) => {
      const [bid, ask] = [outcome.bids[index], outcome.asks[index]];
      putPrice(level.bid, bid?.[0], digits, "");
      putPrice(level.ask, ask?.[0], digits, "");
      put(level.bidSize, bid ? wholeShares(bid[1]) : "");
      put(level.askSize, ask ? wholeShares(ask[1]) : "");
      drawFill(level.bidFill, bids[index], most);
      drawFill(level.askFill, asks[index], most);
    });
  }

  #drawTrades(market) {
    const digits = places(market?.tick);
    const none = ["resolved", "closed"].includes(market?.state) ? "No trade seen" : "No trade yet";
    this.trades.forEach((cells, index) => {
      const trade = market?.trades[index];
      const says = market !== null && index === 0 && !trade;
      mark(cells.time, "colspan", String(says ? TRADE_COLUMNS.length : 1));
      mark(cells.time, "class", says ? "quiet" : "");
      for (const cell of cells.others) cell.hidden = says;
      put(cells.time, trade ? clock(trade.timestamp) : says ? none : "");
      put(cells.side, trade ? title(trade.side) : "");
      cells.side.className = trade ? (trade.side === "BUY" ? "up" : "down") : "";
      put(cells.outcome, trade?.outcome ?? "");
      put(cells.size, trade ? wholeShares(trade.size) : "");
      putPrice(cells.price, trade?.price, digits, "");
    });
  }

  outcomeRow(index) {
    const name = h("span");
    const id = `outcome-${index}`;
    const button = h("button", { type: "button", "aria-pressed": "false", "aria-describedby": id });
    button.append(name, silent(", show its order book"));
    button.addEventListener("click", () => {
      this.#chosen = index;
      this.redraw();
    });
    const [whole, tenths] = [h("span"), h("small")];
    const chance = h("span", { class: "number" }, whole, tenths);
    const chanceCell = h("td", { class: "chance", part: "chance", id }, chance);
    const [bid, ask] = [h("data", { part: "bid" }), h("data", { part: "ask" })];
    const change = h("td", { part: "change" });
    const spark = new Spark();
    const words = silent("");
    const sparkCell = h("td", { class: "spark" }, words);
    sparkCell.append(spark.root);
    const row = h(
      "tr",
      {},
      h("th", { scope: "row" }, button),
      chanceCell,
      h("td", {}, bid),
      h("td", {}, ask),
      change,
      sparkCell,
    );
    return {
      row,
      button,
      name,
      whole,
      tenths,
      chance,
      chanceCell,
      bid,
      ask,
      change,
      spark,
      sparkCell,
      sparkWords: words,
      price: null,
    };
  }
}

function levelRow() {
  const [bidFill, askFill] = [h("span", { class: "fill bid" }), h("span", { class: "fill ask" })];
  const [bidSize, askSize] = [h("span"), h("span")];
  const [bid, ask] = [h("data"), h("data")];
  const row = h(
    "tr",
    {},
    h("td", { class: "size" }, bidSize),
    h("td", { class: "bid" }, bidFill, bid),
    h("td", { class: "ask" }, askFill, ask),
    h("td", { class: "size" }, askSize),
  );
  return { row, bid, ask, bidSize, askSize, bidFill, askFill };
}

function tradeRow() {
  const [time, side, outcome, size, priceCell] = Array.from({ length: 5 }, () => h("td"));
  const price = h("data");
  priceCell.append(price);
  return {
    row: h("tr", {}, time, side, outcome, size, priceCell),
    others: [side, outcome, size, priceCell],
    time,
    side,
    outcome,
    size,
    price,
  };
}

/** What the exchange said stays beside what is shown, for scripts and for copying. */
function putPrice(node, price, digits, nothing = "–") {
  if (put(node, price === null || price === undefined ? nothing : cents(price, digits))) {
    mark(node, "value", price ?? "");
  }
}

function drawFill(node, sum, most) {
  node.hidden = sum === undefined;
  if (sum !== undefined) node.style.setProperty("--part", (sum / most).toFixed(3));
}

function drawChange(cell, change, digits) {
  const direction = directionOf(change);
  const arrow = { up: "▲ +", down: "▼ −", "": "" }[direction];
  const size = change === null ? "–" : cents(Math.abs(change) + NUDGE, Math.max(1, digits));
  put(cell, `${arrow}${size}`);
  cell.className = direction || "quiet";
}

function directionOf(change) {
  if (change === null || Math.abs(change) < SMALLEST_CHANGE) return "";
  return change > 0 ? "up" : "down";
}

function cumulated(levels) {
  let sum = 0;
  return levels.slice(0, LEVELS).map((level) => (sum += Number(level[1])));
}

function resolution(market) {
  return market.winner === null ? "Resolved" : `Resolved: ${market.winner}`;
}

/** The state of a market: that of the connection, unless there is more to say of the market. */
function stateOf(market, told, overdue) {
  if (market.resolved) return { ...told, tone: "over", word: resolution(market) };
  if (market.state === "closed") {
    const detail = told.tone === "live" ? "settled, no prices come any more" : told.detail;
    return { ...told, tone: "over", word: "Closed", detail };
  }
  if (told.tone !== "live") {
    return { ...told, word: told.tone === "wrong" ? told.word : "Reconnecting" };
  }
  if (market.complaint) return { ...told, tone: "wrong", word: "Silent", detail: market.complaint };
  if (market.state === "stale") return { ...told, tone: "away", word: "Stale" };
  if (market.state === "syncing") {
    if (overdue) return { ...told, tone: "wrong", word: "Silent", detail: "no book has come yet" };
    return { ...told, tone: "connecting", word: "Waiting", detail: "waiting for the first book" };
  }
  return told;
}
