/** As much as a frame carries sixteen times over: more makes nothing quicker. */
const MOST = 4096;
/** How often the handlers are measured, in ms. */
const INTERVAL = 50;
/** What the handlers finish in so many seconds is asked for. */
const SECONDS = 0.25;

/**
 * How many messages to ask for when the app does not say: what its handlers finish in a quarter of a second. Enough that
 * quick ones never wait for the daemon, and so little that slow ones finish what they hold within a drain.
 */
export class CreditWindow {
  messages: number;
  private readonly adapts: boolean;
  private readonly least: number;
  private measuredAt = -Infinity;
  private measuredSettled = 0;

  /** `fixed`: the app's own choice; 0: none. */
  constructor(fixed: number, concurrency: number) {
    this.adapts = fixed === 0;
    this.least = Math.max(8, 4 * concurrency);
    this.messages = this.adapts ? this.least : fixed;
  }

  get most(): number {
    return this.adapts ? Math.max(MOST, this.least) : this.messages;
  }

  /**
   * When messages arrive, at `now` ms: `settled` is the count of verdicts so far. True if the credit has changed.
   */
  update(now: number, settled: number): boolean {
    const elapsed = now - this.measuredAt;
    if (!this.adapts || elapsed < INTERVAL) return false;
    const rate = ((settled - this.measuredSettled) / elapsed) * 1000;
    this.measuredAt = now;
    this.measuredSettled = settled;
    if (elapsed > 10 * INTERVAL) return false; // a rest says nothing about how quick the handlers are
    const wanted = Math.floor(Math.min(Math.max(rate * SECONDS, this.least), this.most));
    if (wanted < this.messages * 2 && wanted > this.messages / 2) return false; // not worth a request
    this.messages = wanted;
    return true;
  }
}
