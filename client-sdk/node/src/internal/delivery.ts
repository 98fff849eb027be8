import type { Outcome } from '../verdict';
import type { Frame } from './frame';
import type { Id } from './id';
import { Reader } from './reader';

// Of `sluice.v1.Delivery`, and of the messages in it: field number << 3 | wire type.
const ID = 0x8;
const SUBJECT = 0x12;
const HEADER = 0x1a;
const DATA = 0x22;
const SEQUENCE = 0x28;
const CONSUMER_SEQUENCE = 0x30;
const NUM_DELIVERED = 0x38;
const NUM_PENDING = 0x40;
const TIMESTAMP = 0x4a;
const KEY = 0x52;
const TOKEN = 0x5a;
const SECONDS = 0x08;
const NANOS = 0x10;
const NAME = 0x0a;
const VALUE = 0x12;

/** Where a delivery is in this app. */
export const enum Place {
  /** It waits for a handler. */
  Queued,
  /** The app has it. */
  Started,
  /** Given back, or joined to an earlier delivery, before the app saw it. */
  Gone,
}

/** A promise's two ends, made when somebody asks. */
export interface Awaited {
  readonly promise: Promise<Outcome>;
  readonly resolve: (outcome: Outcome) => void;
}

/**
 * One attempt at one message, in the hands of this app from its frame's arrival until its verdict. Its numbers are read
 * at once; its bytes stay in the frame, and are looked up there when the app asks for them.
 */
export class Delivery {
  // --- what the daemon said ---
  id: Id = 0;
  sequence = 0;
  consumerSequence = 0;
  numDelivered = 0;
  numPending = 0;
  seconds = 0;
  nanos = 0;
  hasHeaders = false;
  // Where its fields are in the frame.
  private subjectAt = 0;
  private subjectEnd = 0;
  private dataAt = 0;
  private dataEnd = 0;
  private keyAt = 0;
  private keyEnd = 0;
  tokenAt = 0;
  tokenEnd = 0;
  private readonly start: number;
  private readonly end: number;

  // --- what became of it; the Ledger's ---
  place: Place = Place.Queued;
  settled = false;
  /** Nobody waits for its verdict. */
  cancelled = false;
  /** The token of the attempt that `id` stands for, where that is another one than this. */
  rejoinedToken: Buffer | undefined;
  /** Ordinal of the stream that knows it by `id`. */
  stream = 0;
  /** Since when the daemon keeps it leased, in ms of the Unix clock. */
  leased = 0;
  /** Ordinal of the request with its last in_progress. */
  progressIn = 0;

  // --- what the app asked for; mostly nothing ---
  abort: AbortController | undefined;
  outcome: Outcome | undefined;
  awaited: Awaited | undefined;
  /** The key under which it runs, or waits. */
  lane: string | undefined;

  /** Reads one from `reader`, up to `end`. */
  constructor(
    readonly frame: Frame,
    reader: Reader,
    end: number,
  ) {
    this.start = reader.position;
    this.end = end;
    while (reader.position < end) this.readField(reader);
    if (reader.position !== end) throw new RangeError('a delivery that does not end where it says');
  }

  private readField(reader: Reader): void {
    const tag = reader.number();
    switch (tag) {
      case ID:
        this.id = reader.id();
        return;
      case SUBJECT: {
        const length = reader.number();
        this.subjectAt = reader.position;
        this.subjectEnd = reader.position += length;
        return;
      }
      case DATA: {
        const length = reader.number();
        this.dataAt = reader.position;
        this.dataEnd = reader.position += length;
        return;
      }
      case SEQUENCE:
        this.sequence = reader.number();
        return;
      case CONSUMER_SEQUENCE:
        this.consumerSequence = reader.number();
        return;
      case NUM_DELIVERED:
        this.numDelivered = reader.number();
        return;
      case NUM_PENDING:
        this.numPending = reader.number();
        return;
      case TIMESTAMP: {
        const end = reader.number() + reader.position;
        while (reader.position < end) this.readTimestamp(reader);
        return;
      }
      case KEY: {
        const length = reader.number();
        this.keyAt = reader.position;
        this.keyEnd = reader.position += length;
        return;
      }
      case TOKEN: {
        const length = reader.number();
        this.tokenAt = reader.position;
        this.tokenEnd = reader.position += length;
        return;
      }
      case HEADER:
        this.hasHeaders = true;
        reader.skip(tag);
        return;
      default: // of a later daemon
        reader.skip(tag);
    }
  }

  private readTimestamp(reader: Reader): void {
    const tag = reader.number();
    if (tag === SECONDS) this.seconds = reader.number();
    else if (tag === NANOS) this.nanos = reader.number();
    else reader.skip(tag);
  }

  get subject(): Buffer {
    return this.frame.bytes.subarray(this.subjectAt, this.subjectEnd);
  }

  get data(): Buffer {
    return this.frame.bytes.subarray(this.dataAt, this.dataEnd);
  }

  get key(): Buffer {
    return this.frame.bytes.subarray(this.keyAt, this.keyEnd);
  }

  get token(): Buffer {
    return this.rejoinedToken ?? this.frame.bytes.subarray(this.tokenAt, this.tokenEnd);
  }

  get hasKey(): boolean {
    return this.keyEnd > this.keyAt;
  }

  /** Each header, in their order. */
  headers(): [name: Buffer, value: Buffer][] {
    const headers: [Buffer, Buffer][] = [];
    if (!this.hasHeaders) return headers;
    const reader = new Reader(this.frame.bytes, this.start);
    while (reader.position < this.end) {
      const tag = reader.number();
      if (tag === HEADER) headers.push(readHeader(reader, this.frame.bytes));
      else reader.skip(tag);
    }
    return headers;
  }
}

function readHeader(reader: Reader, bytes: Buffer): [Buffer, Buffer] {
  let name = bytes.subarray(0, 0);
  let value = name;
  const end = reader.number() + reader.position;
  while (reader.position < end) {
    const tag = reader.number();
    if (tag !== NAME && tag !== VALUE) {
      reader.skip(tag);
      continue;
    }
    const length = reader.number();
    const content = bytes.subarray(reader.position, reader.position + length);
    reader.position += length;
    if (tag === NAME) name = content;
    else value = content;
  }
  return [name, value];
}
