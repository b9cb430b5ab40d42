/** What is known of one market, folded from the events of a feed. Pure: no clock, no document. */

/** How far back a spark line goes, and how far apart its points are at least. */
export const WINDOW_MS = 5 * 60_000;
const POINT_MS = 1000;

/** More than any layout shows. */
const MOST_TRADES = 30;

/** Beyond this spread the midpoint says nothing: the last trade does. */
const WIDE_SPREAD = 0.1;

/**
 * @typedef {[price: string, size: string]} Level
 * @typedef {{condition_id: string, question?: string, slug?: string, outcomes?: string[],
 *   asset_ids?: string[], tick_size?: string | null, closed?: boolean}} MarketFacts
 * @typedef {{asset_id: string, outcome: string, price: string, size: string, side: string,
 *   timestamp: number}} Trade
 */

/** One outcome: its token's book and price. */
export class Outcome {
  /**
   * @param {string} assetId
   * @param {string} name
   */
  constructor(assetId, name) {
    this.assetId = assetId;
    this.name = name;
    /** @type {string | null} */ this.bid = null;
    /** @type {string | null} */ this.ask = null;
    /** @type {string | null} */ this.last = null;
    /** @type {Level[]} */ this.bids = [];
    /** @type {Level[]} */ this.asks = [];
    /** @type {"syncing" | "live" | "stale"} */ this.state = "syncing";
    /** @type {number | null} */ this.price = null;
    /** @type {number | null} */ this.first = null;
    /** @type {{at: number, price: number}[]} */ this.points = [];
  }

  /** How the price changed since it was first seen. */
  get change() {
    return this.price === null || this.first === null ? null : this.price - this.first;
  }

  /** @param {number} now Unix milliseconds */
  reprice(now) {
    const price = this.#fairPrice();
    if (price === null) return;
    this.price = price;
    this.first ??= price;
    const points = this.points;
    const newest = points.at(-1);
    if (newest && Math.floor(newest.at / POINT_MS) === Math.floor(now / POINT_MS)) {
      newest.price = price;
    } else {
      points.push({ at: now, price });
    }
    // The newest one before the window stays: the line begins with it.
    while (points.length > 1 && points[1].at < now - WINDOW_MS) points.shift();
  }

  #fairPrice() {
    const last = this.last === null ? null : Number(this.last);
    if (this.bid !== null && this.ask !== null) {
      const [bid, ask] = [Number(this.bid), Number(this.ask)];
      return last !== null && ask - bid > WIDE_SPREAD ? last : (bid + ask) / 2;
    }
    const side = this.bid ?? this.ask;
    return last ?? (side === null ? null : Number(side));
  }
}

export class MarketState {
  /** @param {MarketFacts} facts */
  constructor(facts) {
    this.id = facts.condition_id;
    /** @type {Outcome[]} */ this.outcomes = [];
    /** @type {Trade[]} newest first */ this.trades = [];
    /** @type {string | null} */ this.winner = null;
    this.resolved = false;
    /** Whether it was settled before this page was told of it: then nobody says who won. */
    this.closed = false;
    /** What the server said went wrong with this market; empty when there are books again. */
    this.complaint = "";
    /** Unix milliseconds of the first price on this page, and of the newest event. */
    this.opened = 0;
    this.updated = 0;
    this.question = "";
    this.slug = "";
    this.tick = "0.01";
    this.describe(facts);
  }

  /** @param {MarketFacts} facts of a new connection: nothing that was seen is forgotten */
  describe(facts) {
    this.question = facts.question || facts.slug || this.question || `${this.id.slice(0, 10)}…`;
    this.slug = facts.slug ?? this.slug;
    this.tick = String(facts.tick_size ?? this.tick);
    this.closed = Boolean(facts.closed ?? this.closed);
    (facts.asset_ids ?? []).forEach((assetId, index) => {
      const name = facts.outcomes?.[index];
      const outcome = this.outcomeOf(assetId, name);
      if (name) outcome.name = name;
    });
  }

  /** The same market with its names, and nothing told of it: for as long as nobody asks. */
  blank() {
    return new MarketState({
      condition_id: this.id,
      question: this.question,
      slug: this.slug,
      outcomes: this.outcomes.map((one) => one.name),
      asset_ids: this.outcomes.map((one) => one.assetId),
      tick_size: this.tick,
      closed: this.closed,
    });
  }

  /**
   * @param {string} assetId
   * @param {string} [name]
   */
  outcomeOf(assetId, name) {
    let outcome = this.outcomes.find((one) => one.assetId === assetId);
    if (!outcome) {
      outcome = new Outcome(assetId, name ?? `Outcome ${this.outcomes.length + 1}`);
      this.outcomes.push(outcome);
    }
    return outcome;
  }

  /**
   * What a page calls it: slug, condition id or token id.
   * @param {string} what
   */
  isCalled(what) {
    return (
      what.toLowerCase() === this.id.toLowerCase() ||
      what === this.slug ||
      this.outcomes.some((one) => one.assetId === what)
    );
  }

  /** That it is over, or the worst state of its books: `live` only when every one is. */
  get state() {
    if (this.resolved) return "resolved";
    const states = this.outcomes.map((one) => one.state);
    // What the exchange still sends is newer than what it said of the market once.
    if (this.closed && !states.includes("live")) return "closed";
    if (states.includes("stale")) return "stale";
    return states.length === 0 || states.includes("syncing") ? "syncing" : "live";
  }

  /**
   * Fold the data of one `polymarket-market-update`.
   * @param {any} data
   * @param {number} now Unix milliseconds
   */
  fold(data, now) {
    this.updated = now;
    this.opened ||= now;
    switch (data.type) {
      case "book": {
        const outcome = this.outcomeOf(data.asset_id, data.outcome);
        outcome.bid = data.best_bid ?? null;
        outcome.ask = data.best_ask ?? null;
        outcome.last = data.last_trade_price ?? outcome.last;
        outcome.bids = data.bids ?? [];
        outcome.asks = data.asks ?? [];
        outcome.state = data.state ?? "live";
        if (outcome.state === "live") this.complaint = "";
        if (data.tick_size) this.tick = String(data.tick_size);
        this.resolved ||= Boolean(data.resolved);
        if (!this.resolved) outcome.reprice(now);
        break;
      }
      case "trade": {
        const outcome = this.outcomeOf(data.asset_id);
        outcome.last = data.price;
        if (!this.resolved) outcome.reprice(now);
        this.trades.unshift({ ...data, outcome: outcome.name });
        this.trades.length = Math.min(this.trades.length, MOST_TRADES);
        break;
      }
      case "tick_size":
        this.tick = String(data.tick_size ?? this.tick);
        break;
      case "resolved":
        this.resolved = true;
        this.winner = data.outcome ?? data.winning_outcome ?? null;
        if (this.winner === null) break;
        for (const outcome of this.outcomes) outcome.price = Number(outcome.name === this.winner);
        break;
      default: // of a younger server
    }
  }
}
