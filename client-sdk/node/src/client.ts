import * as grpc from '@grpc/grpc-js';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { debuglog } from 'node:util';
import { Consumption } from './consumption';
import { Fetcher } from './fetcher';
import type { BatchHandler, Handler } from './handler';
import { BatchHandlers, MessageHandlers } from './internal/handlers';
import { Messages } from './messages';
import {
  limitsOf,
  type BatchOptions,
  type ClientOptions,
  type ConsumeOptions,
  type FetcherOptions,
  type Limits,
  type Logger,
  type MessagesOptions,
} from './options';
import { Session } from './internal/session';
import { cut } from './verdict';

const DEFAULT_ADDRESS = 'unix:///run/sluice/sluice.sock';
const LONGEST_CLIENT_ID = 128; // bytes; sluice.v1's limit

/**
 * An app's connection to the Sluice daemon beside it. Opens nothing by itself: connecting, and reconnecting, is each
 * consumption's own business.
 *
 *     const client = new Client();
 *     const orders = client.consume('orders', async (m) => { await work(m.json()); }, { concurrency: 8 });
 *     await run(orders);
 */
export class Client {
  readonly address: string;
  readonly clientId: string;
  private readonly options: ClientOptions;
  private readonly logger: Logger;
  private readonly open = new Set<Session>();
  private readonly consumptions = new Map<string, number>();
  private channel: grpc.Client | undefined;

  constructor(options: ClientOptions = {}) {
    this.options = options;
    // eslint-disable-next-line @typescript-eslint/prefer-nullish-coalescing -- an empty variable is as good as none
    this.address = options.address ?? (process.env['SLUICE_ADDRESS'] || DEFAULT_ADDRESS);
    this.clientId = cut(options.clientId ?? makeClientId(), LONGEST_CLIENT_ID);
    this.logger = options.logger ?? defaultLogger();
  }

  /** Calls `handler` with the messages of a consumer of the daemon's configuration, from now on. */
  consume(consumer: string, handler: Handler, options: ConsumeOptions = {}): Consumption {
    const limits = limitsOf(options);
    const session = this.begin(consumer, options, limits);
    new MessageHandlers(session, handler, options, limits);
    return new Consumption(session);
  }

  /** The same with many messages in a call, `batch` at most: for bulk inserts and the like, and the highest rates. */
  consumeBatches(consumer: string, handler: BatchHandler, options: BatchOptions = {}): Consumption {
    const limits = limitsOf(options);
    const session = this.begin(consumer, options, limits);
    new BatchHandlers(session, handler, options, limits);
    return new Consumption(session);
  }

  /** The messages of a consumer, for `for await`. */
  messages(consumer: string, options: MessagesOptions = {}): Messages {
    const session = this.begin(consumer, options, limitsOf(options), 0);
    return new Messages(session, options.manual ?? false);
  }

  /** The messages of a consumer on demand. */
  fetcher(consumer: string, options: FetcherOptions = {}): Fetcher {
    const credit = options.bytes === undefined ? {} : { credit: { bytes: options.bytes } };
    return new Fetcher(this.begin(consumer, options, limitsOf({ ...options, ...credit }), 0));
  }

  /** `stop()` for all that it has opened. It may be used again. */
  async close(): Promise<void> {
    const open = [...this.open];
    for (const session of open) session.startStop();
    await Promise.all(open.map((session) => session.closed));
  }

  private begin(consumer: string, hooks: MessagesOptions, limits: Limits, demand?: number): Session {
    this.channel ??= makeChannel(this.address, this.options);
    const session = new Session(this.channel, {
      consumer,
      clientId: this.clientIdFor(consumer),
      firstRetry: this.options.firstRetry ?? 100,
      longestRetry: this.options.longestRetry ?? 5_000,
      logger: this.logger,
      limits,
      hooks,
      handBack: hooks.handBack ?? false,
      demand,
    });
    this.open.add(session);
    void session.run().then(() => this.onEnded(session));
    return session;
  }

  /** An open channel would keep the process alive. */
  private onEnded(session: Session): void {
    this.open.delete(session);
    if (this.open.size > 0) return;
    this.channel?.close();
    this.channel = undefined;
  }

  /** A second consumption of the same consumer is another instance to the daemon. */
  private clientIdFor(consumer: string): string {
    const ordinal = (this.consumptions.get(consumer) ?? 0) + 1;
    this.consumptions.set(consumer, ordinal);
    if (ordinal === 1) return this.clientId;
    const suffix = `-${ordinal}`;
    return cut(this.clientId, LONGEST_CLIENT_ID - suffix.length) + suffix;
  }
}

function makeClientId(): string {
  return `${hostname().slice(0, 63)}-${process.pid}-${randomBytes(8).toString('hex')}`;
}

function makeChannel(address: string, options: ClientOptions): grpc.Client {
  return new grpc.Client(address, options.credentials ?? grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1, // a frame may be one message of any size the server allows
    // Finds a daemon that hangs, or a node that is gone. A stream that flows sends none.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    // The waiting between attempts is the session's; gRPC's own (up to 2 min) must not add to it.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 100,
    'grpc.use_local_subchannel_pool': 1,
    'grpc-node.flow_control_window': 4 << 20,
  });
}

function defaultLogger(): Logger {
  const debug = debuglog('sluice');
  return {
    debug: (message) => debug(message),
    warn: (message) => console.warn(message),
    error: (message) => console.error(message),
  };
}
