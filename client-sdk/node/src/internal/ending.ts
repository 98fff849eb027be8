import type { DrainReport } from '../options';
import { isPermanent, type End } from './stream';
import { toReport } from './wire';

// All in ms.
/** The daemon's default: it has given everything back by then, so a drain has nothing left to wait for. */
const RESUME_WINDOW = 5_000;
/** A stream that lasted this long was a good one: the next is tried without waiting. */
const LIVED = 1_000;

/** What the app wants; only ever grows. */
export const enum Wish {
  Serve,
  Drain,
  Stop,
}

/** How a session comes to its end: what the app wants, and whether another stream is to follow. */
export class Ending {
  wish = Wish.Serve;
  /** Of the app's drain, in ms; undefined: the daemon's. */
  drainTimeout: number | undefined;
  /** Of the app's drain. */
  report: DrainReport = toReport(undefined);
  /** Of a drain of the current stream, in ms of the Unix clock. */
  deadline: number | undefined;

  private drained = false; // the daemon has given back what was left
  private everConnected = false;
  private connectedSince: number | undefined; // the current stream; ms of performance.now(), as the next
  private lastConnected = -Infinity;

  /** False: it wants that, or more, already. */
  want(wish: Wish): boolean {
    if (wish <= this.wish) return false;
    this.wish = wish;
    return true;
  }

  onConnecting(): void {
    this.drained = false;
    this.deadline = undefined;
    this.connectedSince = undefined;
  }

  onOpened(): void {
    this.everConnected = true;
    this.connectedSince = performance.now();
  }

  onDrained(report: DrainReport): void {
    this.drained = true;
    if (this.wish === Wish.Drain) this.report = report;
  }

  onEnded(): void {
    if (this.connectedSince !== undefined) this.lastConnected = performance.now();
  }

  /** Whether the last stream was a good one. */
  get hasLived(): boolean {
    return this.connectedSince !== undefined && this.lastConnected - this.connectedSince >= LIVED;
  }

  /**
   * Whether a daemon that died since can have given back nothing of what the last stream held: not by the end of a drain,
   * and not by the end of its resume window.
   */
  get isStillKept(): boolean {
    const byDrain = this.drained || (this.deadline !== undefined && Date.now() >= this.deadline);
    return !byDrain && !this.isGivenBack;
  }

  /** Whether no stream is to follow the one that ended so. */
  isLast(end: End): boolean {
    if (this.wish === Wish.Stop || isPermanent(end)) return true;
    if (this.wish === Wish.Serve) return false;
    return this.report.completed || !this.everConnected || this.isGivenBack;
  }

  private get isGivenBack(): boolean {
    return performance.now() - this.lastConnected > RESUME_WINDOW;
  }
}
