import { Consumption } from './consumption';
import { Place } from './internal/delivery';
import { Message } from './message';
import { within } from './options';
import type { Session } from './internal/session';
import { Timer } from './internal/timer';

/** The most messages of one fetch. */
const MOST = 4096;
/** All in ms: for the first message, by default and at most. */
const DEFAULT_WAIT = 5_000;
const LONGEST_WAIT = 24 * 60 * 60 * 1000;
/** A fetch that has some returns when for so long no more has come, */
const QUIET = 10;
/** and in any case so long after the first. */
const GATHER = 100;

/** Of `Fetcher.fetch()`. */
export interface FetchOptions {
  /** How long to wait for the first message, in ms. Default: 5,000. */
  maxWait?: number;
  /** Ends the wait: the fetch rejects with its reason, and what has come for it is handed back. */
  signal?: AbortSignal;
}

/**
 * A consumer's messages on demand. Between fetches it holds nothing back from siblings: what is on its way then is handed
 * back. The app settles each message by its methods; one that the garbage collector finds without a verdict naks.
 */
export class Fetcher extends Consumption {
  private readonly waiting: Fetch[] = []; // the first gets the next messages

  /** @internal */
  constructor(session: Session) {
    super(session);
    session.inbox.onReady = () => this.serve();
    session.onEnding = () => this.finishAll();
  }

  /**
   * Returns 1..n messages as soon as there are some (and no more have come for 10 ms, 100 ms at most), and none after
   * `maxWait`, or once it is drained or stopped. Rejects with the `SluiceError` if the daemon has refused the consumption.
   * Several calls are served in their order.
   */
  async fetch(n: number, options: FetchOptions = {}): Promise<Message[]> {
    within('n', n, 1, MOST);
    const maxWait = within('maxWait', Math.ceil(options.maxWait ?? DEFAULT_WAIT), 0, LONGEST_WAIT);
    options.signal?.throwIfAborted();
    if (this.session.error !== undefined) throw this.session.error;
    if (this.session.isEnding) return [];
    const fetch = new Fetch(n, maxWait, () => this.finish(fetch));
    const abort = (): void => this.abort(fetch, options.signal?.reason);
    options.signal?.addEventListener('abort', abort, { once: true });
    this.waiting.push(fetch);
    this.tellDemand();
    try {
      return await fetch.messages;
    } finally {
      options.signal?.removeEventListener('abort', abort);
    }
  }

  private serve(): void {
    if (this.session.isClosed) {
      this.finishAll();
      return;
    }
    for (let fetch = this.waiting[0]; fetch !== undefined; fetch = this.waiting[0]) {
      const delivery = this.session.inbox.take();
      if (delivery === undefined) break;
      delivery.place = Place.Started;
      const message = new Message(this.session, delivery);
      this.session.watch(message);
      fetch.give(message);
      if (fetch.wants === 0) this.finish(fetch);
    }
    this.tellDemand();
  }

  private finish(fetch: Fetch): void {
    if (this.remove(fetch)) fetch.finish();
  }

  private abort(fetch: Fetch, reason: unknown): void {
    if (!this.remove(fetch)) return;
    for (const message of fetch.gathered) message.nak();
    fetch.fail(reason instanceof Error ? reason : new Error('the fetch was aborted', { cause: reason }));
  }

  private finishAll(): void {
    const { error } = this.session;
    for (const fetch of this.waiting.splice(0)) {
      if (error === undefined || fetch.gathered.length > 0) fetch.finish();
      else fetch.fail(error);
    }
  }

  private remove(fetch: Fetch): boolean {
    const index = this.waiting.indexOf(fetch);
    if (index < 0) return false;
    this.waiting.splice(index, 1);
    this.tellDemand();
    return true;
  }

  private tellDemand(): void {
    this.session.setDemand(this.waiting.reduce((sum, fetch) => sum + fetch.wants, 0));
  }
}

/** One call of `fetch()`, that waits. */
class Fetch {
  readonly gathered: Message[] = [];
  readonly messages: Promise<Message[]>;
  private resolve: (messages: Message[]) => void = () => undefined;
  private reject: (error: Error) => void = () => undefined;
  private readonly timer = new Timer();
  private gatherUntil = 0; // ms of performance.now()

  constructor(
    private readonly n: number,
    maxWait: number,
    private readonly onTime: () => void,
  ) {
    this.messages = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.timer.start(maxWait, onTime);
  }

  get wants(): number {
    return this.n - this.gathered.length;
  }

  give(message: Message): void {
    const now = performance.now();
    if (this.gathered.length === 0) this.gatherUntil = now + GATHER;
    this.gathered.push(message);
    this.timer.start(Math.min(QUIET, this.gatherUntil - now), this.onTime);
  }

  finish(): void {
    this.timer.stop();
    this.resolve(this.gathered);
  }

  fail(error: Error): void {
    this.timer.stop();
    this.reject(error);
  }
}
