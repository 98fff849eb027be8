import type { ChannelCredentials } from '@grpc/grpc-js';
import type { SluiceError } from './errors';
import type { Message } from './message';

/** How the client speaks to its operator. `console`, pino and winston fit. */
export interface Logger {
  debug(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Of a `Client`. */
export interface ClientOptions {
  /**
   * Where the daemon is, as gRPC spells it: `unix:///run/sluice/sluice.sock`, `localhost:7422`.
   * Default: `$SLUICE_ADDRESS`, else `unix:///run/sluice/sluice.sock`.
   */
  address?: string;
  /**
   * Names this app instance, so that after a reconnect it keeps what it holds. Two live apps must not share one. At most
   * 128 bytes, the rest is cut off. Default: host-pid-random.
   */
  clientId?: string;
  /** Default: none, as fits a socket in the same pod. */
  credentials?: ChannelCredentials;
  /** The shortest wait between two attempts to connect, in ms; it doubles up to `longestRetry`. Default: 100. */
  firstRetry?: number;
  /** The longest, in ms. Default: 5,000. */
  longestRetry?: number;
  /** Default: warnings and errors go to the console, debug lines to `NODE_DEBUG=sluice`. */
  logger?: Logger;
}

/** How much the app is willing to hold at once: running, and waiting in the client for a handler. */
export interface CreditOptions {
  /**
   * At most 1,048,576. Default, or 0: no more than keeps the handlers at work, which is what they finish in 50 to 250 ms;
   * at least 4 per handler (and 8), at most 4,096.
   */
  messages?: number;
  /** Of subjects, headers and data; at most 1 GiB. Default, or 0: the daemon's, 8 MiB. */
  bytes?: number;
}

/** What stands between the app and its messages. */
export type State =
  /** No stream to the daemon; retried for ever. */
  | 'CONNECTING'
  /** All is well. */
  | 'SERVING'
  /** The daemon is not connected to NATS: work on, verdicts are kept. */
  | 'NATS_DOWN'
  /** The stream or consumer does not exist; the daemon retries. */
  | 'CONSUMER_MISSING'
  /** It exists, but not as configured. */
  | 'CONSUMER_INVALID'
  /** Paused on the server. */
  | 'PAUSED'
  /** `ordering: exclusive`: another pod of the fleet is active, this one stands by. */
  | 'PINNED_ELSEWHERE'
  /** The apps failed too often in a row: one message at a time until one is acked. */
  | 'PROBING'
  /** Ended; the detail says why. */
  | 'CLOSED';

/** A drain has begun. */
export interface Draining {
  /** The daemon ends, and the client then looks for its successor; false: this app asked for it. */
  readonly byDaemon: boolean;
  /** Verdicts count until then. */
  readonly deadline: Date;
}

/** What became of the messages that were outstanding when a drain began; see `sluice.v1.DrainReport`. */
export interface DrainReport {
  /** The daemon has confirmed the drain; false: it was lost, or silent, and the counts are 0. */
  readonly completed: boolean;
  /** Messages were still held at the deadline, and were NAKed. */
  readonly deadlineExceeded: boolean;
  readonly awaited: number;
  readonly acked: number;
  readonly terminated: number;
  readonly naked: number;
  readonly expired: number;
  readonly late: number;
  readonly released: number;
  readonly unsettled: number;
  readonly deadLettered: number;
  /** How long each phase took, in ms. */
  readonly phases: readonly { readonly phase: string; readonly duration: number }[];
}

/** Counts since the consumption began. */
export interface Stats {
  /** Messages delivered, without those that rejoined a running handler. */
  received: number;
  /** Verdicts given, whether or not they could still be sent. */
  acked: number;
  naked: number;
  terminated: number;
  /** Handlers that failed; their messages are in `naked`. */
  thrown: number;
  /** Received and not settled yet. */
  inFlight: number;
  /** Opened so far: 1 + reconnects. */
  streams: number;
  /** Held when their stream was lost, and not resumed. */
  lost: number;
  /** Tokens that a daemon did not take, as their message was settled or is with another app. */
  refused: number;
  /** Delivered again while at work or after their verdict: not handled twice. */
  rejoined: number;
  /** Verdicts the daemon got after the lease had ended. */
  late: number;
  /** Verdicts the daemon knew no message for. */
  notHeld: number;
  /** Verdicts that could not be confirmed. */
  failed: number;
}

/** What every style of consuming takes. */
export interface StreamOptions {
  /** Most messages in one frame, 1..256. Default, or 0: 256. */
  maxBatch?: number;
  /**
   * Has every verdict confirmed by the NATS server, about half the rate of plain ones: `await message.outcome` then tells
   * what it came to. Default: no.
   */
  confirm?: boolean;
  /**
   * Asks for a token with each message, by which it is settled through the daemon's successor if the daemon is killed: what
   * the handlers have done by then is not done again. Costs some 100 bytes a message. Default: yes.
   */
  resumable?: boolean;
  /**
   * How many verdicts are remembered, in case their daemon dies before JetStream knows: if such a message comes again, it
   * gets the same verdict without being handled twice. At least the credit is. Default: 4,096.
   */
  remembered?: number;

  // Hooks are called on the event loop, one at a time. What they throw is logged, and otherwise ignored.

  /** What stands between the app and its messages has changed. */
  onState?: (state: State, detail: string) => void;
  /** A drain has begun, the daemon's or the app's own. */
  onDraining?: (draining: Draining) => void;
  /** It is over. */
  onDrained?: (report: DrainReport) => void;
  /**
   * A handler threw (`INTERNAL`); verdicts were too late (`DEADLINE_EXCEEDED`), unknown to the daemon (`NOT_FOUND`) or
   * could not be confirmed (`UNAVAILABLE`); or the consumption has ended for good. Logged in any case.
   */
  onError?: (error: SluiceError) => void;
}

/** Of `Client.messages()`. */
export interface MessagesOptions extends StreamOptions {
  /** See `CreditOptions`. */
  credit?: CreditOptions;
  /** When the app drains, what waits in the client is handed back (NAK) instead of being worked off. Default: no. */
  handBack?: boolean;
  /**
   * The app settles each message by its methods, when it likes. A turn of the loop that ends without a verdict then does
   * not nak; only a message that the garbage collector finds without one does. Default: no.
   */
  manual?: boolean;
}

/** Of `Client.consume()`. */
export interface ConsumeOptions extends MessagesOptions {
  /** Handlers that run at once, 1..10,000. 1: one after the other, in the order of delivery. Default: 1. */
  concurrency?: number;
  /**
   * Messages of one key never run at once, and run in the order of delivery. Default: the key of the daemon's
   * `ordering: key`. Matters with a `concurrency` of more than 1; `undefined` or an empty one: no key.
   */
  key?: (message: Message) => string | undefined;
}

/** Of `Client.consumeBatches()`. */
export interface BatchOptions extends ConsumeOptions {
  /** Most messages in one call, 1..4,096. Default: 256. */
  batch?: number;
}

/** Of `Client.fetcher()`. */
export interface FetcherOptions extends StreamOptions {
  /** The most bytes of subjects, headers and data to hold at once; at most 1 GiB. Default, or 0: the daemon's 8 MiB. */
  bytes?: number;
}

// Limits of sluice.v1, and of the client.
const MOST_MESSAGES = 1 << 20;
const MOST_IN_FRAME = 256;
const MOST_BYTES = 2 ** 30;
const MOST_CONCURRENCY = 10_000;
const MOST_IN_BATCH = 4096;
const MOST_REMEMBERED = 1 << 20;

/** @internal The options of one consumption, complete and within the limits. */
export interface Limits {
  readonly concurrency: number;
  readonly batch: number;
  readonly messages: number;
  readonly bytes: number;
  readonly maxBatch: number;
  readonly remembered: number;
}

/** @internal Throws a RangeError that names the option. */
export function limitsOf(options: BatchOptions): Limits {
  return {
    concurrency: within('concurrency', options.concurrency ?? 1, 1, MOST_CONCURRENCY),
    batch: within('batch', options.batch ?? MOST_IN_FRAME, 1, MOST_IN_BATCH),
    messages: within('credit.messages', options.credit?.messages ?? 0, 0, MOST_MESSAGES),
    bytes: within('credit.bytes', options.credit?.bytes ?? 0, 0, MOST_BYTES),
    maxBatch: within('maxBatch', options.maxBatch ?? 0, 0, MOST_IN_FRAME),
    remembered: within('remembered', options.remembered ?? 4096, 0, MOST_REMEMBERED),
  };
}

/** @internal */
export function within(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} is ${value}; give a whole number from ${least} to ${most}`);
  }
  return value;
}
