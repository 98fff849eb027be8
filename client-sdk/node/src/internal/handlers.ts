import type { BatchHandler, Handler, Result } from '../handler';
import { Message } from '../message';
import type { ConsumeOptions, Limits } from '../options';
import { ACK, nak, verdictIn, type Verdict } from '../verdict';
import { Place, type Delivery } from './delivery';
import { Lanes } from './lanes';
import type { Session } from './session';
import { Slice } from './slice';
import { inTraceOf } from './traces';

/** Lets handlers run, `concurrency` at a time, each with what `take()` gives. */
abstract class Handlers {
  protected readonly lanes: Lanes | undefined;
  private readonly manual: boolean;
  private readonly key: ConsumeOptions['key'];
  private readonly concurrency: number;
  private readonly slice = new Slice(() => this.pump());
  private readonly ready: Delivery[] = []; // their key is theirs now
  private readonly outlived = new Set<Delivery>(); // with `manual`: their handler has returned, their key waits
  private running = 0;
  private pumping = false;

  constructor(
    protected readonly session: Session,
    options: ConsumeOptions,
    limits: Limits,
  ) {
    this.manual = options.manual ?? false;
    this.key = options.key;
    this.concurrency = limits.concurrency;
    this.lanes = limits.concurrency > 1 ? new Lanes() : undefined;
    session.inbox.onReady = () => this.pump();
    if (this.manual && this.lanes !== undefined) session.onSettled = (delivery) => this.onSettled(delivery);
  }

  /** Starts a handler; false: there is nothing for it to do. */
  protected abstract startNext(): boolean;

  private pump(): void {
    if (this.pumping) return; // a handler that returned at once; the loop below goes on
    this.pumping = true;
    while (this.running < this.concurrency && !this.slice.isOver && this.startNext()) this.slice.count();
    this.pumping = false;
  }

  /** The next that may run. */
  protected take(): Delivery | undefined {
    if (this.lanes === undefined) return this.session.inbox.take();
    if (this.session.inbox.halted) return undefined;
    for (let next = this.ready.shift(); next !== undefined; next = this.ready.shift()) {
      if (next.place === Place.Queued) return next;
      this.leaveLane(next);
    }
    return this.takeFromInbox(this.lanes);
  }

  private takeFromInbox(lanes: Lanes): Delivery | undefined {
    for (;;) {
      const delivery = this.session.inbox.take();
      if (delivery === undefined) return undefined;
      const key = this.keyOf(delivery);
      if (key === undefined) return delivery;
      this.session.keyed = true;
      delivery.lane = key;
      if (lanes.enter(key, delivery)) return delivery;
    }
  }

  private keyOf(delivery: Delivery): string | undefined {
    if (this.key === undefined) return delivery.hasKey ? delivery.key.toString('latin1') : undefined;
    try {
      const key = this.key(new Message(this.session, delivery));
      return key === '' ? undefined : key;
    } catch (error) {
      this.session.onThrown(error); // it runs all the same: the handler will know what is wrong with it
      return undefined;
    }
  }

  /** The app has it from here on. */
  protected begin(delivery: Delivery): Message {
    delivery.place = Place.Started;
    const message = new Message(this.session, delivery);
    if (this.manual) this.session.watch(message);
    return message;
  }

  /** Calls a handler for `deliveries`, and settles them by what comes of it. */
  protected run(call: () => Result | Promise<Result>, deliveries: readonly Delivery[]): void {
    ++this.running;
    let result: Result | Promise<Result>;
    try {
      result = call();
    } catch (error) {
      this.onThrown(error, deliveries);
      return;
    }
    if (!isPromise(result)) {
      this.onReturned(result, deliveries);
      return;
    }
    result.then(
      (returned) => this.onReturned(returned, deliveries),
      (error: unknown) => this.onThrown(error, deliveries),
    );
  }

  private onReturned(result: Result, deliveries: readonly Delivery[]): void {
    if (result instanceof Error) {
      this.onThrown(result, deliveries);
      return;
    }
    if (!this.manual) this.settle(deliveries, ACK);
    this.end(deliveries);
  }

  private onThrown(error: unknown, deliveries: readonly Delivery[]): void {
    const verdict = verdictIn(error);
    this.settle(deliveries, verdict ?? nak());
    if (verdict === undefined) this.session.onThrown(error);
    this.end(deliveries);
  }

  private settle(deliveries: readonly Delivery[], verdict: Verdict): void {
    for (const delivery of deliveries) this.session.settle(delivery, verdict);
  }

  private end(deliveries: readonly Delivery[]): void {
    --this.running;
    if (this.lanes !== undefined) {
      for (const delivery of deliveries) {
        if (delivery.settled) this.leaveLane(delivery);
        else this.outlived.add(delivery);
      }
    }
    this.pump();
  }

  private onSettled(delivery: Delivery): void {
    if (!this.outlived.delete(delivery)) return;
    this.leaveLane(delivery);
    this.pump();
  }

  protected leaveLane(delivery: Delivery): void {
    if (delivery.lane === undefined) return;
    const next = this.lanes?.leave(delivery.lane);
    if (next !== undefined) this.ready.push(next);
  }
}

/** A call for each message. */
export class MessageHandlers extends Handlers {
  constructor(
    session: Session,
    private readonly handler: Handler,
    options: ConsumeOptions,
    limits: Limits,
  ) {
    super(session, options, limits);
  }

  protected startNext(): boolean {
    const delivery = this.take();
    if (delivery === undefined) return false;
    const message = this.begin(delivery);
    this.run(() => inTraceOf(message, this.handler), [delivery]);
    return true;
  }
}

/** A call for as many messages as wait, up to `limits.batch`. */
export class BatchHandlers extends Handlers {
  private readonly most: number;

  constructor(
    session: Session,
    private readonly handler: BatchHandler,
    options: ConsumeOptions,
    limits: Limits,
  ) {
    super(session, options, limits);
    this.most = limits.batch;
  }

  protected startNext(): boolean {
    const deliveries: Delivery[] = [];
    const messages: Message[] = [];
    while (messages.length < this.most) {
      const delivery = this.take();
      if (delivery === undefined) break;
      deliveries.push(delivery);
      messages.push(this.begin(delivery));
    }
    if (messages.length === 0) return false;
    this.run(() => this.handler(messages), deliveries);
    return true;
  }
}

function isPromise(result: Result | Promise<Result>): result is Promise<Result> {
  return typeof result === 'object' && 'then' in result;
}
