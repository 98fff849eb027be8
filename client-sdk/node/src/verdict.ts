/** What a confirmed verdict came to; see `sluice.v1.SettleResult`. */
export type Outcome =
  /** The server has confirmed it. */
  | 'CONFIRMED'
  /** It came after the ack wait had run out; an ack was forwarded all the same, a nak or a term was not. */
  | 'LATE'
  /** The daemon holds no such message: settled before, or given back. */
  | 'NOT_HELD'
  /** It could not be confirmed; the message may be delivered again. */
  | 'FAILED';

/** @internal What is to become of a message. */
export type Verdict = Ack | Nak | Term;
interface Ack {
  readonly kind: 'ack';
}
interface Nak {
  readonly kind: 'nak';
  readonly delay: number; // ms
}
interface Term {
  readonly kind: 'term';
  readonly reason: string;
}

/** @internal */
export const ACK: Verdict = { kind: 'ack' };
const NAK_NOW: Verdict = { kind: 'nak', delay: 0 };

// Limits of sluice.v1: a verdict beyond them would end the stream.
const LONGEST_DELAY = 24 * 60 * 60 * 1000;
const LONGEST_REASON = 1024;

/** @internal `delay` in ms, brought into 0..24 h; not a number: 0. */
export function nak(delay = 0): Verdict {
  if (!(delay > 0)) return NAK_NOW;
  return { kind: 'nak', delay: Math.min(Math.round(delay), LONGEST_DELAY) };
}

/** @internal */
export function term(reason = ''): Verdict {
  return { kind: 'term', reason: cut(reason.replace(/[\r\n]/g, ' '), LONGEST_REASON) };
}

/** @internal Well-formed, and cut between two characters so that it has at most so many bytes of UTF-8. */
export function cut(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return bytes.toString(); // lone surrogates have become U+FFFD
  let end = most;
  while (((bytes[end] as number) & 0xc0) === 0x80) --end;
  return bytes.toString('utf8', 0, end);
}

// Marks the classes below, so that they are known across two copies of this package in one app.
const VERDICT = Symbol.for('sluice.verdict');

/**
 * Thrown or returned by a handler: the message naks, and is delivered again, to any app of the consumer, not before
 * `delay` ms from now (0..24 h; 0: at once, or by the consumer's redelivery policy). Not counted as a failure.
 */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter';
  /** @internal */
  readonly [VERDICT]: Verdict;

  constructor(
    readonly delay: number,
    message = `retry after ${delay} ms`,
  ) {
    super(message);
    this[VERDICT] = nak(delay);
  }
}

/**
 * Thrown or returned by a handler: the message is hopeless, and never delivered again. `reason` is for people; it is cut
 * at 1,024 bytes, and line breaks become spaces.
 */
export class Reject extends Error {
  override readonly name = 'Reject';
  /** @internal */
  readonly [VERDICT]: Verdict;

  constructor(readonly reason = '') {
    super(reason);
    this[VERDICT] = term(reason);
  }
}

/** @internal The verdict that a handler returned or threw, if it is one. */
export function verdictIn(value: unknown): Verdict | undefined {
  return typeof value === 'object' && value !== null && VERDICT in value ? (value[VERDICT] as Verdict) : undefined;
}
