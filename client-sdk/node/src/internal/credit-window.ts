/** As much as a frame carries sixteen times over: more makes nothing quicker. */
const MOST = 4096;
/** How often the handlers are measured, in ms. */
const INTERVAL = 50;
/** What the handlers finish in so many seconds is held at most. */
const MOST_SECONDS = 0.25;
/** And that much beyond what handlers have, when messages arrive. */
const SPARE_SECONDS = 0.025;
/** It grows so much at once: a hiccup on the way may be all that it was. */
const GROWTH = 4;

/**
 * How many messages to ask for when the app does not say. Enough that its handlers never wait for the daemon, and no more,
 * as a drain finishes what is held, and siblings could have it meanwhile. So where a handler had nothing to do, for all
 * that they finish in `MOST_SECONDS`, which the way to the server may take; and where something was held all the time that
 * no handler had begun, for so much less that it is what they finish in `SPARE_SECONDS`.
 */
export class CreditWindow {
  messages: number;
  private readonly adapts: boolean;
  private readonly least: number;
  private measuredAt = -Infinity;
  private measuredSettled = 0;
  private leastHeld = Infinity; // since then

  /** `fixed`: the app's own choice; 0: none. */
  constructor(
    fixed: number,
    private readonly concurrency: number,
  ) {
    this.adapts = fixed === 0;
    this.least = Math.max(8, 4 * concurrency);
    this.messages = this.adapts ? this.least : fixed;
  }

  get most(): number {
    return this.adapts ? Math.max(MOST, this.least) : this.messages;
  }

  /**
   * When messages arrive, at `now` ms: `settled` is the count of verdicts so far, `held` the messages that were here
   * before them; 0 if handlers may have nothing to do all the same. True if the credit has changed.
   */
  update(now: number, settled: number, held: number): boolean {
    this.leastHeld = Math.min(this.leastHeld, held);
    const elapsed = now - this.measuredAt;
    if (!this.adapts || elapsed < INTERVAL) return false;
    const rate = ((settled - this.measuredSettled) / elapsed) * 1000;
    this.measuredAt = now;
    this.measuredSettled = settled;
    const spare = this.leastHeld - this.concurrency;
    this.leastHeld = Infinity;
    if (elapsed > 10 * INTERVAL) return false; // a rest says nothing about how quick the handlers are
    const wanted = Math.floor(Math.min(Math.max(this.wanted(rate, spare), this.least), this.most));
    if (wanted < this.messages * 2 && wanted > this.messages / 2) return false; // not worth a request
    this.messages = wanted;
    return true;
  }
  // The daemon asks for more when half of it is free: of a message less to ask for, half is missing when that comes.
  private wanted(rate: number, spare: number): number {
    const most = rate * MOST_SECONDS;
    if (spare < 0) return Math.min(GROWTH * this.messages, most);
    const surplus = Math.max(spare - rate * SPARE_SECONDS, 0);
    return Math.min(this.messages - 2 * surplus, most);
  }
}
