/** What is known of the user's orders and fills, folded from the events of a feed. Pure. */

/** Open orders are kept however many they are; what is over and fills are not. */
const MOST_ENDED = 50;
const MOST_FILLS = 50;

const KILLED_AT_ONCE = new Set(["FOK", "FAK", "IOC"]);
const OVER = /^(CANCEL|INVALID|UNMATCHED|EXPIRED)/;
const FINAL = new Set(["CONFIRMED", "FAILED"]);

/**
 * @typedef {{id: string, market: string, assetId: string, outcome: string, side: string,
 *   price: string, size: number, matched: number, orderType: string, at: number,
 *   way: string[], end: "" | "filled" | "cancelled", recovered: boolean}} OrderRow
 * @typedef {{key: string, market: string, assetId: string, outcome: string, side: string, price: string,
 *   size: string, role: string, status: string, at: number, recovered: boolean}} FillRow
 */

export class AccountState {
  constructor() {
    /** @type {Map<string, OrderRow>} */ this.open = new Map();
    /** @type {Map<string, OrderRow>} */ this.ended = new Map();
    /** @type {Map<string, FillRow>} */ this.fills = new Map();
    /** Why there is nothing to be seen; empty when there is. */
    this.complaint = "";
    this.filled = 0;
    this.cancelled = 0;
    /** @type {OrderRow | null} the one that ended last, to be told */ this.lastEnded = null;
  }

  /** Open ones, then those that are over; the newest of each first. */
  get orders() {
    return [...[...this.open.values()].reverse(), ...[...this.ended.values()].reverse()];
  }

  /** The newest first. */
  get lastFills() {
    return [...this.fills.values()].reverse();
  }

  /**
   * Fold the data of one `polymarket-user-update`.
   * @param {string} market
   * @param {any} data
   * @param {number} now Unix milliseconds
   */
  fold(market, data, now) {
    if (data.type === "order") this.#foldOrder(market, data, now);
    if (data.type === "trade") this.#foldTrade(market, data, now);
  }

  #foldOrder(market, data, now) {
    let order = this.open.get(data.id) ?? this.ended.get(data.id);
    if (!order) {
      order = {
        id: data.id,
        market,
        assetId: data.asset_id,
        outcome: data.outcome ?? "",
        side: String(data.side).toUpperCase(),
        price: data.price,
        size: Number(data.original_size),
        matched: 0,
        orderType: String(data.order_type ?? "").toUpperCase(),
        at: now,
        way: [],
        end: "",
        recovered: false,
      };
      this.open.set(order.id, order);
    }
    // Late is not less: shares that were filled stay filled.
    order.matched = Math.max(order.matched, Number(data.size_matched ?? 0));
    order.recovered ||= Boolean(data.recovered);
    if (order.end) return;
    order.at = data.timestamp ?? now;
    const word = this.#step(order, data);
    if (order.way.at(-1) !== word) order.way.push(word);
    if (order.end) this.#finish(order);
  }

  /** Return the word for what an order has come to, and note whether it is over. */
  #step(order, data) {
    const status = String(data.status ?? "").toUpperCase();
    if (data.action === "CANCELLATION" || OVER.test(status)) {
      order.end = "cancelled";
      return KILLED_AT_ONCE.has(order.orderType) ? "killed" : "cancelled";
    }
    if (order.size > 0 && order.matched >= order.size) {
      order.end = "filled";
      return "filled";
    }
    return order.matched > 0 ? "partly" : "placed";
  }

  #finish(order) {
    this.open.delete(order.id);
    this.ended.set(order.id, order);
    this.lastEnded = order;
    if (order.end === "filled") this.filled += 1;
    else this.cancelled += 1;
    forgetOldest(this.ended, MOST_ENDED);
  }

  #foldTrade(market, data, now) {
    const status = String(data.status ?? "").toUpperCase();
    for (const fill of data.fills ?? []) {
      const key = `${data.id} ${fill.order_id}`;
      const known = this.fills.get(key);
      if (known && FINAL.has(known.status)) continue;
      this.fills.set(key, {
        key,
        market,
        assetId: fill.asset_id,
        outcome: fill.outcome ?? "",
        side: String(fill.side ?? "").toUpperCase(),
        price: fill.price,
        size: fill.size,
        role: fill.role,
        status,
        at: data.match_time ?? data.timestamp ?? now,
        recovered: Boolean(data.recovered) || Boolean(known?.recovered),
      });
    }
    forgetOldest(this.fills, MOST_FILLS);
  }
}

/**
 * @param {Map<string, unknown>} rows
 * @param {number} most
 */
function forgetOldest(rows, most) {
  while (rows.size > most) rows.delete(rows.keys().next().value);
}
