import { Consumption } from './consumption';
import { Place, type Delivery } from './internal/delivery';
import { Message } from './message';
import type { Session } from './internal/session';
import { Slice } from './internal/slice';

type Turn = IteratorResult<Message, undefined>;

interface Waiting {
  readonly loop: Loop;
  readonly resolve: (turn: Turn) => void;
  readonly reject: (error: Error) => void;
}

const OVER: Turn = { done: true, value: undefined };

/**
 * A consumer's messages, for loops of one's own:
 *
 *     for await (const m of client.messages('orders')) {
 *       await work(m.data);
 *       m.ack();
 *     }
 *
 * A message without a verdict at the end of its turn naks, unless the option `manual` is set. The loop ends when the
 * consumption does, and throws the `SluiceError` if the daemon refused it. Several loops may share it. While there is none,
 * as after a `break`, nothing is held: what waited is handed back; `drain()`, `stop()`, or another loop may follow.
 */
export class Messages extends Consumption implements AsyncIterable<Message> {
  private readonly waiting: Waiting[] = [];
  private readonly slice = new Slice(() => this.serve());
  private loops = 0;

  /** @internal */
  constructor(
    session: Session,
    private readonly manual: boolean,
  ) {
    super(session);
    session.inbox.onReady = () => this.serve();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    if (++this.loops === 1) this.session.setDemand(undefined);
    return new Loop(this, this.manual);
  }

  /** @internal */
  next(loop: Loop): Promise<Turn> {
    const delivery = this.take();
    if (delivery !== undefined) return Promise.resolve(loop.give(delivery));
    if (this.session.isClosed) return loop.end(this.session.error);
    return new Promise((resolve, reject) => this.waiting.push({ loop, resolve, reject }));
  }

  /** @internal */
  leave(): void {
    if (--this.loops === 0) this.session.setDemand(0);
  }

  private take(): Delivery | undefined {
    const delivery = this.slice.isOver ? undefined : this.session.inbox.take();
    if (delivery !== undefined) this.slice.count();
    return delivery;
  }

  private serve(): void {
    while (this.waiting.length > 0 && !this.session.isClosed) {
      const delivery = this.take();
      if (delivery === undefined) return;
      const { loop, resolve } = this.waiting.shift() as Waiting;
      resolve(loop.give(delivery));
    }
    for (const { loop, resolve, reject } of this.waiting.splice(0)) {
      loop.end(this.session.error).then(resolve, reject);
    }
  }
}

/** One `for await`. */
class Loop implements AsyncIterator<Message, undefined> {
  private current: Message | undefined;
  private left = false;

  constructor(
    private readonly messages: Messages,
    private readonly manual: boolean,
  ) {}

  next(): Promise<Turn> {
    this.endTurn();
    return this.left ? Promise.resolve(OVER) : this.messages.next(this);
  }

  /** The loop was left. */
  return(): Promise<Turn> {
    this.endTurn();
    this.leave();
    return Promise.resolve(OVER);
  }

  give(delivery: Delivery): Turn {
    delivery.place = Place.Started;
    const message = new Message(this.messages.session, delivery);
    if (this.manual) this.messages.session.watch(message);
    else this.current = message;
    return { done: false, value: message };
  }

  end(error: Error | undefined): Promise<Turn> {
    this.leave();
    return error === undefined ? Promise.resolve(OVER) : Promise.reject(error);
  }

  private endTurn(): void {
    if (this.current?.settled === false) this.current.nak();
    this.current = undefined;
  }

  private leave(): void {
    if (this.left) return;
    this.left = true;
    this.messages.leave();
  }
}
