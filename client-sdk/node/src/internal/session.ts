import * as grpc from '@grpc/grpc-js';
import { SluiceError } from '../errors';
import { abort, type Message } from '../message';
import type { DrainReport, Limits, Logger, State, Stats, StreamOptions } from '../options';
import { nak, type Outcome, type Verdict } from '../verdict';
import { Backoff } from './backoff';
import { Confirmations } from './confirmations';
import { CreditWindow } from './credit-window';
import type { Delivery } from './delivery';
import { Ending, Wish } from './ending';
import type { Frame } from './frame';
import { Hooks } from './hooks';
import { toId, type Id } from './id';
import { Inbox } from './inbox';
import { Ledger, type Settlement } from './ledger';
import { Outbox } from './outbox';
import { takeResults } from './settle-results';
import { errorOf, Stream, type End, type StreamEvents } from './stream';
import { Timer } from './timer';
import { encodeCredit, encodeDrain, encodeOpen, toMilliseconds, toReport, toState, v1 } from './wire';

// All in ms.
/** A daemon that has not answered `Opened` by then is taken for hung. */
const OPEN_TIMEOUT = 10_000;
/** Beyond what a drain may take by its own deadline: the daemon's final phases and the way back. */
const DRAIN_GRACE = 5_000;
/** For a drain without a timeout of its own, until `Draining` tells the daemon's. */
const DRAIN_DEFAULT = 60_000;
const STOP_TIMEOUT = 5_000;

export interface SessionOptions {
  readonly consumer: string;
  readonly clientId: string;
  readonly firstRetry: number;
  readonly longestRetry: number;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly hooks: StreamOptions;
  readonly handBack: boolean;
  /**
   * How many messages the app asks for beyond what it holds; undefined: as many as the credit window says. A fetcher's is
   * what its fetches wait for.
   */
  readonly demand?: number | undefined;
}

/**
 * One consumption over all its streams.
 *
 *     CONNECTING --Opened--> OPEN ---(the stream ends)---> CONNECTING, after a backoff
 *                             '---(the app's drain is over, stop(), a permanent error)---> closed
 */
export class Session implements StreamEvents {
  readonly inbox = new Inbox();
  readonly closed: Promise<SluiceError | undefined>;
  /** Why it has ended; undefined: it was drained or stopped, or goes on. */
  error: SluiceError | undefined;
  isClosed = false;
  /** Some message may have to wait for its key, while handlers have nothing to do. */
  keyed = false;
  /** A message that is settled frees its key; see Lanes. */
  onSettled: ((delivery: Delivery) => void) | undefined;
  /** The app has asked for a drain or a stop. */
  onEnding: (() => void) | undefined;

  private readonly hooks: Hooks;
  private readonly ledger: Ledger;
  private readonly outbox = new Outbox();
  private readonly credit: CreditWindow;
  private readonly confirmations: Confirmations | undefined;
  private readonly backoff: Backoff;
  private readonly forgotten = new FinalizationRegistry<Delivery>((delivery) => this.settle(delivery, nak()));
  private readonly ending = new Ending();
  private readonly giveUp = new Timer();
  private readonly drainDeadlineTimer = new Timer();
  private resolveClosed: (error: SluiceError | undefined) => void = () => undefined;
  private demand: number | undefined;
  private wake: (() => void) | undefined; // from the wait before a retry
  private writing = false; // write() is on its way

  // The current stream.
  private stream: Stream | undefined;
  private ended: ((end: End) => void) | undefined;
  private followed = Wish.Serve; // what it has been told
  private credited = 0; // the credit it has been told last
  private maxLease = 0; // ms; 0: not told

  constructor(
    private readonly client: grpc.Client,
    private readonly options: SessionOptions,
  ) {
    const { limits } = options;
    this.hooks = new Hooks(options.consumer, options.hooks, options.logger);
    this.demand = options.demand;
    this.credit = new CreditWindow(limits.messages, limits.concurrency);
    this.ledger = new Ledger(this.credit.most, limits.remembered);
    this.confirmations = options.hooks.confirm === true ? new Confirmations() : undefined;
    this.backoff = new Backoff(options.firstRetry, options.longestRetry);
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The life of a consumption

  /** Until it is closed. Once. */
  async run(): Promise<void> {
    await Promise.resolve(); // what made it may still have something to say, and hooks are not called before it has
    this.hooks.tellState('CONNECTING', '');
    let end: End;
    do end = await this.runStream();
    while (!this.ending.isLast(end) && (await this.awaitRetry(end)));
    this.close(end);
  }

  private async runStream(): Promise<End> {
    const kept = this.ending.isStillKept;
    this.ending.onConnecting();
    this.followed = Wish.Serve;
    this.drainDeadlineTimer.stop();
    this.outbox.open(this.openRequest(kept));
    this.giveUpIn(OPEN_TIMEOUT);
    const end = new Promise<End>((resolve) => (this.ended = resolve));
    this.stream = new Stream(this.client, this);
    this.write();
    if (this.ending.wish > this.followed) this.followWish();
    return end;
  }

  private openRequest(kept: boolean): Buffer {
    const { consumer, clientId, limits, hooks } = this.options;
    this.credited = this.wantedCredit();
    return encodeOpen({
      consumer,
      clientId,
      messages: this.credited,
      bytes: limits.bytes,
      maxBatch: limits.maxBatch,
      confirm: hooks.confirm ?? false,
      resumable: hooks.resumable ?? true,
      resume: this.ledger.nameHeld(kept),
    });
  }

  /** False: the app does not want another stream. */
  private async awaitRetry(end: End): Promise<boolean> {
    this.hooks.tellState('CONNECTING', end.code === grpc.status.OK ? 'the stream has ended' : end.details);
    if (this.ending.hasLived) this.backoff.reset();
    const wait = new Timer();
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      wait.start(this.backoff.next(), resolve);
    });
    wait.stop();
    this.wake = undefined;
    return !this.ending.isLast(end);
  }

  private close(end: End): void {
    this.drainDeadlineTimer.stop();
    this.ledger.onStreamEnded();
    this.ledger.loseAll();
    this.abortCancelled();
    this.confirmations?.close();
    if (this.ending.wish === Wish.Serve) this.error = errorOf(end);
    this.isClosed = true;
    this.inbox.close();
    if (this.error !== undefined) this.hooks.tellError(this.error);
    this.hooks.tellState('CLOSED', this.error?.message ?? '');
    this.resolveClosed(this.error);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // For the app

  /** False: it has its verdict already. */
  settle(delivery: Delivery, verdict: Verdict): boolean {
    if (delivery.settled) return false;
    if (this.demand !== undefined && this.demand > 0) this.tellCredit(this.ledger.stats.inFlight - 1 + this.demand);
    const id = this.ledger.settle(delivery, verdict);
    if (id !== undefined) {
      this.outbox.addVerdict(id, verdict);
      this.writeSoon();
    }
    this.confirmations?.onVerdict(delivery, !this.isClosed && this.ledger.isOfThisStream(delivery));
    if (this.onSettled !== undefined) this.onSettled(delivery);
    return true;
  }

  /** Naks the message if it is let go of without a verdict: when the garbage collector finds it. */
  watch(message: Message): void {
    this.forgotten.register(message, message.delivery);
  }

  inProgress(delivery: Delivery): void {
    if (delivery.settled) return;
    delivery.leased = Date.now();
    if (!this.ledger.knows(delivery) || delivery.progressIn > this.outbox.taken) return; // not now, or still queued
    delivery.progressIn = this.outbox.addInProgress(delivery.id);
    if (this.confirmations !== undefined) this.confirmations.onInProgress(delivery.id);
    this.writeSoon();
  }

  deadline(delivery: Delivery): Date | undefined {
    const lease = this.maxLease > 0 ? delivery.leased + this.maxLease : Infinity;
    const deadline = Math.min(lease, this.ending.deadline ?? Infinity);
    return deadline === Infinity ? undefined : new Date(deadline);
  }

  outcome(delivery: Delivery): Promise<Outcome> {
    if (this.confirmations === undefined) {
      return Promise.reject(new SluiceError('FAILED_PRECONDITION', 'outcome is told with the option confirm: true'));
    }
    return this.confirmations.outcomeOf(delivery);
  }

  startDrain(timeout: number | undefined): void {
    if (!this.ending.want(Wish.Drain)) return;
    if (timeout !== undefined) this.ending.drainTimeout = Math.max(timeout, 0);
    this.wishHasGrown();
  }

  startStop(): void {
    if (!this.ending.want(Wish.Stop)) return;
    this.inbox.pause();
    this.wishHasGrown();
  }

  get report(): DrainReport {
    return this.ending.report;
  }

  get isEnding(): boolean {
    return this.ending.wish !== Wish.Serve;
  }

  /** How many messages the app asks for beyond what it holds; 0: what waits, and what still comes, is handed back. */
  setDemand(demand: number | undefined): void {
    if (this.demand === demand) return;
    this.demand = demand;
    if (!this.ledger.connected || this.ending.wish !== Wish.Serve) return;
    this.tellCredit(this.wantedCredit());
    if (demand === 0) this.tell(this.ledger.handBack());
    this.writeSoon();
  }

  get state(): State {
    return this.hooks.state;
  }

  get stats(): Stats {
    return { ...this.ledger.stats };
  }

  get clientId(): string {
    return this.options.clientId;
  }

  get consumer(): string {
    return this.options.consumer;
  }

  onThrown(error: unknown): void {
    ++this.ledger.stats.thrown;
    const what = error instanceof Error ? error.message : String(error);
    this.hooks.tellError(new SluiceError('INTERNAL', `a handler threw: ${what}`, { cause: error }));
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What the stream tells

  onFrame(frame: Frame): void {
    if (!this.ledger.connected) return; // before `Opened`: not this contract
    const held = this.keyed ? 0 : this.ledger.stats.inFlight;
    this.tell(this.ledger.accept(frame, Date.now()));
    if (this.handsBack) this.tell(this.ledger.handBack()); // it was on its way
    this.adjustCredit(held);
    this.inbox.push(frame);
    this.writeSoon();
  }

  onNotice(notice: v1.ConsumeResponse): void {
    if (notice.opened) this.onOpened(notice.opened);
    else if (notice.settleResults) this.onSettleResults(notice.settleResults);
    else if (notice.state) this.hooks.tellState(toState(notice.state.kind), notice.state.detail ?? '');
    else if (notice.leasesEnded) this.onLeasesEnded(notice.leasesEnded);
    else if (notice.draining) this.onDraining(notice.draining);
    else if (notice.drained) this.onDrained(notice.drained);
  }

  onWritten(): void {
    this.outbox.done();
    this.write();
  }

  onEnd(end: End): void {
    this.inbox.pause();
    this.ending.onEnded();
    this.ledger.onStreamEnded();
    this.outbox.close();
    this.giveUp.stop();
    this.stream = undefined;
    this.ended?.(end);
  }

  private onOpened(opened: v1.IOpened): void {
    const resumed = new Map<Id, Id>();
    for (const one of opened.resumed ?? []) resumed.set(toId(one.heldId ?? 0), toId(one.id ?? 0));
    this.confirmations?.onOpened(resumed);
    this.tell(this.ledger.onOpened(resumed));
    this.abortCancelled();
    this.ledger.stats.refused += opened.refused?.length ?? 0;
    this.maxLease = toMilliseconds(opened.maxLease);
    this.ending.onOpened();
    this.giveUp.stop();
    this.followed = Wish.Serve;
    this.tellCredit(this.wantedCredit()); // it may have changed since `Open`
    if (this.demand === 0) this.tell(this.ledger.handBack());
    if (this.ending.wish > this.followed) this.followWish();
    if (this.ending.wish !== Wish.Stop) this.inbox.resume();
    this.write();
  }

  private onSettleResults(results: v1.ISettleResults): void {
    for (const error of takeResults(results, this.ledger.stats, this.confirmations)) this.hooks.tellError(error);
  }

  private onLeasesEnded(ended: v1.ILeasesEnded): void {
    this.tell(this.ledger.onLeasesEnded(new Set((ended.ids ?? []).map(toId))));
    this.abortCancelled();
    this.write();
  }

  private onDraining(draining: v1.IDraining): void {
    const deadline = toMilliseconds(draining.deadline);
    if (draining.deadline) {
      this.ending.deadline = deadline;
      const left = deadline - Date.now();
      if (this.followed !== Wish.Stop) this.giveUpIn(left + DRAIN_GRACE);
      this.drainDeadlineTimer.start(left, () => this.inbox.pause()); // the daemon gives back what waits
    }
    const byDaemon = draining.reason === v1.Draining.Reason.REASON_DAEMON;
    this.hooks.tellDraining({ byDaemon, deadline: new Date(deadline) });
  }

  private onDrained(drained: v1.IDrained): void {
    const report = toReport(drained.report ?? {});
    this.ending.onDrained(report);
    this.ledger.loseAll();
    this.abortCancelled();
    this.hooks.tellDrained(report);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What the stream is told

  private wishHasGrown(): void {
    this.wake?.();
    if (this.stream !== undefined && this.ending.wish > this.followed) this.followWish();
    this.onEnding?.();
  }

  /** Tells the daemon what the app wants now. A drain waits for `Opened`, which comes back to it. */
  private followWish(): void {
    this.followed = this.ending.wish;
    if (this.ending.wish === Wish.Stop) {
      this.outbox.finish();
      this.giveUpIn(STOP_TIMEOUT);
    } else if (!this.ledger.connected) {
      this.giveUpIn(STOP_TIMEOUT);
    } else {
      this.outbox.add(encodeDrain(this.ending.drainTimeout)); // first, or what is handed back would come again
      if (this.handsBack) this.tell(this.ledger.handBack());
      this.giveUpIn((this.ending.drainTimeout ?? DRAIN_DEFAULT) + DRAIN_GRACE);
    }
    this.write();
  }

  /** Whether what no handler has yet is to go back: nobody wants it, or the daemon knows of a drain that gives it back. */
  private get handsBack(): boolean {
    return this.demand === 0 || (this.options.handBack && this.followed === Wish.Drain);
  }

  /** Cancels the stream in so many ms. */
  private giveUpIn(ms: number): void {
    this.giveUp.start(ms, () => {
      if (this.isEnding) this.ending.want(Wish.Stop); // a drain has had its time
      this.stream?.cancel();
    });
  }

  private wantedCredit(): number {
    if (this.ending.wish !== Wish.Serve) return 0;
    if (this.demand === undefined) return this.credit.messages;
    return this.demand === 0 ? 0 : this.ledger.stats.inFlight + this.demand;
  }

  private adjustCredit(held: number): void {
    if (this.demand !== undefined || this.ending.wish !== Wish.Serve) return;
    const { acked, naked, terminated } = this.ledger.stats;
    if (this.credit.update(performance.now(), acked + naked + terminated, held)) this.tellCredit(this.credit.messages);
  }

  private tellCredit(messages: number): void {
    if (!this.ledger.connected || this.ending.wish !== Wish.Serve || messages === this.credited) return;
    this.credited = messages;
    this.outbox.add(encodeCredit(messages, this.options.limits.bytes));
  }

  private tell(settlements: readonly Settlement[]): void {
    for (const { id, verdict } of settlements) this.outbox.addVerdict(id, verdict);
  }

  /**
   * Once all that runs now has run, microtasks included: the verdicts of a whole frame go out in one request, and none
   * waits for a timer.
   */
  private writeSoon(): void {
    if (this.writing || this.outbox.inFlight) return;
    this.writing = true;
    process.nextTick(() => {
      this.writing = false;
      this.write();
    });
  }

  private write(): void {
    const { stream } = this;
    if (stream === undefined) return;
    const step = this.outbox.next();
    if (step === 'half-close') stream.halfClose();
    else if (step !== undefined) stream.write(step);
  }

  // Not from within the ledger: a listener may settle.
  private abortCancelled(): void {
    for (const delivery of this.ledger.cancelled.splice(0)) abort(delivery);
  }
}
