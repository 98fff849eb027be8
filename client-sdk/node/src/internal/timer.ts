/** The longest that setTimeout() takes, in ms: 24 days. */
const LONGEST = 2 ** 31 - 1;

/** One timer, that is started anew rather than twice. */
export class Timer {
  private timeout: NodeJS.Timeout | undefined;

  /** Calls `callback` in `ms` from now, and not at all for what it was started for before. */
  start(ms: number, callback: () => void): void {
    this.stop();
    this.timeout = setTimeout(callback, Math.min(Math.max(ms, 0), LONGEST));
  }

  stop(): void {
    clearTimeout(this.timeout);
    this.timeout = undefined;
  }
}
