import type { Stats } from '../options';
import { ACK, nak, type Verdict } from '../verdict';
import { Place, type Delivery } from './delivery';
import type { Frame } from './frame';
import type { Id } from './id';

/** A verdict that the daemon has to be told. */
export interface Settlement {
  readonly id: Id;
  readonly verdict: Verdict;
}

/** An entry of `Open.resume`. */
export interface Named {
  readonly id: Id;
  readonly token: Buffer | undefined;
}

/** A verdict that was given, in a ring of the last ones. */
class Given {
  sequence = 0;
  seconds = 0;
  nanos = 0;
  id: Id = 0;
  stream = 0;
  verdict: Verdict = ACK;
  private bytes: Buffer = NONE;
  private tokenAt = 0;
  private tokenEnd = 0;

  /** Overwrites it: a ring that is full makes no garbage. */
  set(delivery: Delivery, verdict: Verdict): void {
    this.sequence = delivery.sequence;
    this.seconds = delivery.seconds;
    this.nanos = delivery.nanos;
    this.id = delivery.id;
    this.stream = delivery.stream;
    this.verdict = verdict;
    if (delivery.rejoinedToken === undefined && delivery.frame.isSmall) {
      this.bytes = delivery.frame.bytes;
      this.tokenAt = delivery.tokenAt;
      this.tokenEnd = delivery.tokenEnd;
    } else {
      this.bytes = delivery.rejoinedToken ?? Buffer.from(delivery.token);
      this.tokenAt = 0;
      this.tokenEnd = this.bytes.length;
    }
  }

  get token(): Buffer {
    return this.bytes.subarray(this.tokenAt, this.tokenEnd);
  }
}

interface Doubt {
  readonly seconds: number;
  readonly nanos: number;
  readonly verdict: Verdict;
}

const NONE = Buffer.alloc(0);
const NOTHING: readonly Settlement[] = [];
const NAK = nak();

// Of Open.resume; a request has at most 16 MiB, an entry some 16 bytes beside its token.
const MOST_NAMED = 1 << 20;
const MOST_NAMED_BYTES = 12 << 20;
const ENTRY_BYTES = 16;

/**
 * What this app owes, and what it has settled without knowing that it arrived: all that keeps a message from being handled
 * twice when a stream or its daemon goes. No I/O, no timers, no calls into the app.
 *
 * A stream that is opened answers which of the messages it still holds:
 *
 *     held, resumed       goes on under its new id
 *     held, not resumed   lost: dropped if no handler has it yet, else an orphan, whose verdict nobody waits for
 *     settled, resumed    its verdict got lost on the way: sent again, and in doubt as well
 *     settled, not        the verdict arrived, or its daemon died with it: in doubt
 *
 * JetStream delivers an orphan, or one in doubt whose ack it never saw, once more. If that comes to this app, the orphan's
 * handler goes on for the new attempt, and the verdict in doubt is given again; so is one on the same stream that came too late.
 *
 * One message has the same stream sequence and the same time of storage in all its attempts. The sequence alone may mean
 * another one, after a stream was made anew.
 */
export class Ledger {
  readonly stats: Stats = {
    received: 0,
    acked: 0,
    naked: 0,
    terminated: 0,
    thrown: 0,
    inFlight: 0,
    streams: 0,
    lost: 0,
    refused: 0,
    rejoined: 0,
    late: 0,
    notHeld: 0,
    failed: 0,
  };
  connected = false;
  /** Whose signal is to be aborted; the caller takes them. */
  readonly cancelled: Delivery[] = [];

  /** Ordinal of the last opened stream; 0: none. */
  private stream = 0;
  private readonly capacity: number;
  private readonly frames: Frame[] = []; // in no order
  private readonly given: Given[] = []; // a ring
  private nextGiven = 0; // where the oldest is, once the ring is full
  private readonly orphans = new Map<number, Delivery>(); // by sequence; cancelled, with a handler
  private readonly inDoubt = new Map<number, Doubt>(); // by sequence, the oldest first; acks and terms

  /** `credit`: most messages held at once. `remembered`: most verdicts kept, recent and in doubt each. */
  constructor(credit: number, remembered: number) {
    this.capacity = Math.max(credit, remembered);
  }

  /** A frame of the current stream, at `now` ms. What in it was handled already is gone from it. */
  accept(frame: Frame, now: number): readonly Settlement[] {
    let toTell: Settlement[] | undefined;
    let rejoined = 0;
    for (const delivery of frame.deliveries) {
      delivery.stream = this.stream;
      delivery.leased = now;
      if (delivery.numDelivered > 1 && this.rejoins(delivery)) {
        toTell ??= [];
        this.rejoin(delivery, toTell);
        delivery.place = Place.Gone;
        delivery.settled = true;
        ++rejoined;
      }
    }
    const fresh = frame.deliveries.length - rejoined;
    this.stats.rejoined += rejoined;
    this.stats.received += fresh;
    this.stats.inFlight += fresh;
    frame.open = fresh;
    if (fresh > 0) {
      frame.position = this.frames.length;
      this.frames.push(frame);
    }
    return toTell ?? NOTHING;
  }

  /**
   * The app's verdict, the first for this message. Returns the id to tell the daemon it for; undefined: it must not, or
   * cannot now, and is told once a stream has resumed it.
   */
  settle(delivery: Delivery, verdict: Verdict): Id | undefined {
    this.close(delivery);
    if (verdict.kind === 'ack') ++this.stats.acked;
    else if (verdict.kind === 'nak') ++this.stats.naked;
    else ++this.stats.terminated;
    if (delivery.cancelled) {
      if (this.orphans.get(delivery.sequence) === delivery) this.orphans.delete(delivery.sequence);
      this.remember(delivery.sequence, delivery.seconds, delivery.nanos, verdict);
    }
    if (delivery.stream !== this.stream) return undefined;
    this.give(delivery, verdict);
    return this.connected ? delivery.id : undefined;
  }

  /**
   * For `Open.resume`: what is held, then the last verdicts, the newest first, as far as it fits into a request. With a
   * token goes what may be settled through another daemon process: acks always, as they do no harm; what has no verdict,
   * and terms, only if they are `kept`, that is, no daemon can have given them back; naks never, as a second one could take
   * the message from its new holder.
   */
  nameHeld(kept: boolean): Named[] {
    const named: Named[] = [];
    let bytes = 0;
    const name = (id: Id, token: Buffer | undefined): void => {
      bytes += ENTRY_BYTES + (token?.length ?? 0);
      if (named.length < MOST_NAMED && bytes <= MOST_NAMED_BYTES) named.push({ id, token });
    };
    for (const held of this.held()) {
      const token = kept ? held.token : undefined;
      if (held.stream === this.stream) name(held.id, token);
    }
    for (let i = this.given.length; i > 0; --i) {
      const given = this.givenAt(i - 1);
      if (given.stream !== this.stream) continue;
      const repeatable = given.verdict.kind === 'ack' || (given.verdict.kind === 'term' && kept);
      name(given.id, repeatable ? given.token : undefined);
    }
    return named;
  }

  /** A new stream knows `resumed`: old id -> new id. */
  onOpened(resumed: ReadonlyMap<Id, Id>): readonly Settlement[] {
    const toTell: Settlement[] = [];
    const previous = this.stream++;
    this.connected = true;
    ++this.stats.streams;
    for (let i = 0; i < this.given.length; ++i) {
      const given = this.givenAt(i);
      if (given.stream !== previous) continue;
      const id = resumed.get(given.id);
      if (id !== undefined) {
        given.id = id;
        given.stream = this.stream;
        toTell.push({ id, verdict: given.verdict });
      }
      this.remember(given.sequence, given.seconds, given.nanos, given.verdict); // it may already be on its way to us again
    }
    for (const held of [...this.held()]) {
      if (held.stream !== previous) continue;
      const id = resumed.get(held.id);
      if (id !== undefined) {
        held.id = id;
        held.stream = this.stream;
      } else {
        ++this.stats.lost;
        this.lose(held);
      }
    }
    return toTell;
  }

  onStreamEnded(): void {
    this.connected = false;
  }

  /** The daemon has let the leases of these ids go. What no handler has yet is given back, the rest is cancelled. */
  onLeasesEnded(ids: ReadonlySet<Id>): readonly Settlement[] {
    const toTell: Settlement[] = [];
    for (const held of [...this.held()]) {
      if (held.stream !== this.stream || !ids.has(held.id)) continue;
      if (this.lose(held)) toTell.push({ id: held.id, verdict: NAK });
    }
    return toTell;
  }

  /** Gives back what no handler has yet. */
  handBack(): readonly Settlement[] {
    const queued = [...this.held()].filter((held) => held.place === Place.Queued);
    queued.sort((a, b) => (a.id < b.id ? -1 : 1));
    const toTell: Settlement[] = [];
    for (const held of queued) {
      held.place = Place.Gone;
      const id = this.settle(held, NAK);
      if (id !== undefined) toTell.push({ id, verdict: NAK });
    }
    return toTell;
  }

  /** The daemon has given back all that is still held, or will be told nothing any more. */
  loseAll(): void {
    for (const held of [...this.held()]) this.lose(held);
  }

  knows(delivery: Delivery): boolean {
    return this.connected && delivery.stream === this.stream;
  }

  /** Whether it is this stream's, which need not be open any more. */
  isOfThisStream(delivery: Delivery): boolean {
    return delivery.stream === this.stream;
  }

  private *held(): Iterable<Delivery> {
    for (const frame of this.frames) {
      for (const delivery of frame.deliveries) {
        if (!delivery.settled) yield delivery;
      }
    }
  }

  private close(delivery: Delivery): void {
    delivery.settled = true;
    --this.stats.inFlight;
    const frame = delivery.frame;
    if (--frame.open > 0) return;
    const last = this.frames.pop() as Frame;
    if (last !== frame) {
      this.frames[frame.position] = last;
      last.position = frame.position;
    }
  }

  /** Its lease is over. True if it was dropped, as no handler had it. */
  private lose(held: Delivery): boolean {
    if (held.place === Place.Queued) {
      held.place = Place.Gone;
      this.close(held);
      return true;
    }
    if (!held.cancelled) this.cancelled.push(held);
    held.cancelled = true;
    this.orphans.set(held.sequence, held);
    return false;
  }

  /** Whether an orphan or a verdict that was given answers for this new attempt. */
  private rejoins(delivery: Delivery): boolean {
    const orphan = this.orphans.get(delivery.sequence);
    if (orphan !== undefined && sameTime(orphan, delivery)) return true;
    return this.verdictOn(delivery) !== undefined;
  }

  /** The ack or term that was given: in doubt, or on this same stream, too late, so that the message came again. */
  private verdictOn(delivery: Delivery): Verdict | undefined {
    const doubt = this.inDoubt.get(delivery.sequence);
    if (doubt !== undefined && sameTime(doubt, delivery)) return doubt.verdict;
    // A search, as only what comes again is looked for; an index would cost every message.
    for (let i = this.given.length; i > 0; --i) {
      const given = this.givenAt(i - 1);
      if (given.sequence !== delivery.sequence || !sameTime(given, delivery)) continue;
      return given.verdict.kind === 'nak' ? undefined : given.verdict;
    }
    return undefined;
  }

  private rejoin(delivery: Delivery, toTell: Settlement[]): void {
    const orphan = this.orphans.get(delivery.sequence);
    if (orphan !== undefined && sameTime(orphan, delivery)) {
      // A lease that ended on this same stream: the daemon still counts the old id against the credit. It suppresses a nak
      // that is late.
      if (orphan.stream === this.stream) toTell.push({ id: orphan.id, verdict: NAK });
      orphan.id = delivery.id;
      orphan.rejoinedToken = Buffer.from(delivery.token); // without its frame
      orphan.stream = this.stream;
      orphan.leased = delivery.leased;
      orphan.cancelled = false;
      orphan.abort = undefined; // an aborted signal stays so; who asks again gets a new one
      this.orphans.delete(delivery.sequence);
      return;
    }
    const verdict = this.verdictOn(delivery) as Verdict;
    toTell.push({ id: delivery.id, verdict });
    this.give(delivery, verdict);
  }

  private give(delivery: Delivery, verdict: Verdict): void {
    if (this.given.length < this.capacity) {
      const given = new Given();
      given.set(delivery, verdict);
      this.given.push(given);
    } else if (this.capacity > 0) {
      (this.given[this.nextGiven] as Given).set(delivery, verdict);
      this.nextGiven = (this.nextGiven + 1) % this.capacity;
    }
  }

  private givenAt(i: number): Given {
    return this.given[(this.nextGiven + i) % this.given.length] as Given;
  }

  private remember(sequence: number, seconds: number, nanos: number, verdict: Verdict): void {
    if (verdict.kind === 'nak') return; // it is to be handled again
    this.inDoubt.set(sequence, { seconds, nanos, verdict });
    if (this.inDoubt.size <= this.capacity) return;
    for (const oldest of this.inDoubt.keys()) {
      this.inDoubt.delete(oldest);
      break;
    }
  }
}

function sameTime(a: { seconds: number; nanos: number }, b: { seconds: number; nanos: number }): boolean {
  return a.seconds === b.seconds && a.nanos === b.nanos;
}
