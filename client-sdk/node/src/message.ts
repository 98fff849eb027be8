import type { Delivery } from './internal/delivery';
import type { Session } from './internal/session';
import { ACK, nak, term, type Outcome } from './verdict';

/**
 * One attempt at one message, and the duty to settle it.
 *
 * Content is bytes: NATS promises no character set. The buffers are views into what was received and are never written to
 * again, so they may be kept. One that is kept keeps its whole frame, 256 KiB at most beside a larger message.
 */
export class Message {
  /** @internal */
  constructor(
    /** @internal */ readonly session: Session,
    /** @internal */ readonly delivery: Delivery,
  ) {}

  /** The payload. */
  get data(): Buffer {
    return this.delivery.data;
  }

  /** The payload as UTF-8. */
  text(): string {
    return this.delivery.data.toString();
  }

  /** The payload as JSON, taken for a `T`; a SyntaxError if it is none. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- shorter at each call than `as`
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }

  /** As UTF-8, with U+FFFD for what is none; the bytes are in `subjectBytes`. */
  get subject(): string {
    return this.delivery.subject.toString();
  }

  get subjectBytes(): Buffer {
    return this.delivery.subject;
  }

  /** The first value of a header, as UTF-8. Names are case-sensitive, as in NATS. */
  header(name: string): string | undefined {
    if (!this.delivery.hasHeaders) return undefined;
    const wanted = Buffer.from(name);
    return this.delivery
      .headers()
      .find(([one]) => one.equals(wanted))?.[1]
      .toString();
  }

  /** All headers as UTF-8, in their order; names may repeat. */
  get headers(): [name: string, value: string][] {
    return this.delivery.headers().map(([name, value]) => [name.toString(), value.toString()]);
  }

  /** The same as bytes. */
  get headerBytes(): [name: Buffer, value: Buffer][] {
    return this.delivery.headers();
  }

  /** The ordering key, where the daemon has one configured; else empty. */
  get key(): Buffer {
    return this.delivery.key;
  }

  /** Position in the JetStream stream, from 1. This and the next three are exact up to 2^53. */
  get streamSequence(): number {
    return this.delivery.sequence;
  }

  /** Position among the consumer's deliveries, from 1. */
  get consumerSequence(): number {
    return this.delivery.consumerSequence;
  }

  /** Attempts so far with this message, from 1. */
  get numDelivered(): number {
    return this.delivery.numDelivered;
  }

  /** Messages of the stream that the consumer had not delivered yet. */
  get numPending(): number {
    return this.delivery.numPending;
  }

  /** When JetStream stored it. */
  get timestamp(): Date {
    return new Date(this.delivery.seconds * 1000 + this.delivery.nanos / 1e6);
  }

  /** The same in nanoseconds of the Unix clock. */
  get timestampNanos(): bigint {
    return BigInt(this.delivery.seconds) * 1_000_000_000n + BigInt(this.delivery.nanos);
  }

  /**
   * Done: JetStream will not deliver it again. Only the first verdict counts; false: there was one before. Never waits for
   * the network: verdicts are queued, and go out together.
   */
  ack(): boolean {
    return this.session.settle(this.delivery, ACK);
  }

  /**
   * Failed: JetStream delivers it again, to any app of this consumer, not before `delay` ms from now (0..24 h). 0: at once,
   * or by the consumer's redelivery policy. Returns as `ack()`.
   */
  nak(delay = 0): boolean {
    return this.session.settle(this.delivery, nak(delay));
  }

  /**
   * Hopeless: JetStream never delivers it again. `reason` is for people; cut at 1,024 bytes, line breaks become spaces.
   * Returns as `ack()`.
   */
  term(reason = ''): boolean {
    return this.session.settle(this.delivery, term(reason));
  }

  /**
   * Still at work: restarts the ack wait and the daemon's longest lease (10 min by default). The daemon keeps the ack wait
   * from running out by itself, so only work that takes longer than the lease needs this.
   */
  inProgress(): void {
    this.session.inProgress(this.delivery);
  }

  /** It has its verdict. */
  get settled(): boolean {
    return this.delivery.settled;
  }

  /**
   * Nobody waits for its verdict any more: its lease ended, the daemon was lost, a drain's deadline is over, or the
   * consumption stopped. JetStream will deliver it again; long work may as well give up. May turn false again, if the
   * message comes back while this one is still at work: it then stands for the new attempt.
   */
  get cancelled(): boolean {
    return this.delivery.cancelled;
  }

  /**
   * Aborts when `cancelled` turns true, for `fetch()`, timers and the like. Made when it is first asked for. An aborted
   * one stays so; if the message comes back, this is a new one.
   */
  get signal(): AbortSignal {
    this.delivery.abort ??= new AbortController();
    if (this.delivery.cancelled) abort(this.delivery);
    return this.delivery.abort.signal;
  }

  /** When its lease ends, or the drain if one is running: a verdict is due before. Undefined: not known. */
  get deadline(): Date | undefined {
    return this.session.deadline(this.delivery);
  }

  /** With `confirm`: what its verdict has come to, once the server has said so. Else a rejected promise. */
  get outcome(): Promise<Outcome> {
    return this.session.outcome(this.delivery);
  }
}

/** @internal */
export function abort(delivery: Delivery): void {
  if (delivery.abort?.signal.aborted === false) {
    delivery.abort.abort(new DOMException('nobody waits for a verdict on this message any more', 'AbortError'));
  }
}
