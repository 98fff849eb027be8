import type { Verdict } from '../verdict';
import type { Id } from './id';
import { encodeSettle } from './wire';

/** One verdict for many messages; `sluice.v1.SettleRun`. */
export interface Run {
  readonly verdict: Verdict | 'in_progress';
  readonly ids: Id[];
}

/** Most ids in one request: some 20 KiB, far below the limits of any server. */
export const MOST_IDS = 4096;

/**
 * What is to be written to one stream, in order. One write is in flight at a time; verdicts queued meanwhile go out together
 * in the next, as runs of packed ids. Bounded by the credit: a held message has one verdict, and at most one in_progress
 * queued.
 */
export class Outbox {
  /** Ordinal of the last request that `next()` gave out. */
  taken = 0;
  inFlight = false;
  private queue: (Buffer | Run[])[] = [];
  /** The runs of the last request, if that is one of verdicts with room. */
  private back: Run[] | undefined;
  private run: Run | undefined; // the last of them
  private backIds = 0;
  private finishing = false;
  private finished = false;
  private closed = true;

  /** Starts a new stream; what is left of the old one is forgotten. */
  open(request: Buffer): void {
    this.taken += this.queue.length; // ordinals never come twice
    this.queue = [];
    this.inFlight = this.finishing = this.finished = this.closed = false;
    this.add(request);
  }

  addVerdict(id: Id, verdict: Verdict): void {
    const run = this.run;
    if (run?.verdict === verdict && this.backIds < MOST_IDS) {
      ++this.backIds;
      run.ids.push(id);
      return;
    }
    this.append(id, verdict);
  }

  /** Returns the ordinal of the request it goes with; see `taken`. */
  addInProgress(id: Id): number {
    this.append(id, 'in_progress');
    return this.taken + this.queue.length;
  }

  add(request: Buffer): void {
    this.queue.push(request);
    this.back = this.run = undefined;
  }

  /** Half-closes the stream after what is queued. */
  finish(): void {
    this.finishing = true;
  }

  /** Nothing can be written any more. */
  close(): void {
    this.closed = true;
  }

  /** What the caller must do now: write these bytes, half-close, or nothing. Then `done()`, when it is done. */
  next(): Buffer | 'half-close' | undefined {
    if (this.inFlight || this.finished || this.closed) return undefined;
    const request = this.queue.shift();
    if (request !== undefined) {
      if (request === this.back) this.back = this.run = undefined;
      ++this.taken;
      this.inFlight = true;
      return Buffer.isBuffer(request) ? request : encodeSettle(request);
    }
    if (!this.finishing) return undefined;
    this.finished = this.inFlight = true;
    return 'half-close';
  }

  done(): void {
    this.inFlight = false;
  }

  private append(id: Id, verdict: Run['verdict']): void {
    if (this.back === undefined || this.backIds >= MOST_IDS) {
      this.back = [];
      this.run = undefined;
      this.backIds = 0;
      this.queue.push(this.back);
    }
    if (this.run === undefined || !isSame(this.run.verdict, verdict)) {
      this.run = { verdict, ids: [] };
      this.back.push(this.run);
    }
    this.run.ids.push(id);
    ++this.backIds;
  }
}

function isSame(a: Run['verdict'], b: Run['verdict']): boolean {
  if (a === b) return true;
  if (a === 'in_progress' || b === 'in_progress') return false;
  if (a.kind === 'nak') return b.kind === 'nak' && a.delay === b.delay;
  if (a.kind === 'term') return b.kind === 'term' && a.reason === b.reason;
  return a.kind === b.kind;
}
