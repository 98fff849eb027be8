/** A daemon without NATS, on a Unix socket of its own, that does what the test says. */
import * as grpc from '@grpc/grpc-js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fromId, toId, toNumber, type Id } from '../src/internal/id';
import { CONSUME, toMilliseconds, v1 } from '../src/internal/wire';
import { until } from './until';

export interface Seen {
  readonly id: Id;
  /** "ack", "nak", "nak 500", "term why", "in_progress" */
  readonly what: string;
}

type Call = grpc.ServerDuplexStream<v1.ConsumeRequest, v1.IConsumeResponse>;

/** The daemon's end of one Consume stream. Methods that wait fail after 20 s. */
export class FakeStream {
  readonly verdicts: Seen[] = [];
  readonly drains: v1.IDrain[] = [];
  /** Their kinds, in order. */
  readonly requests: (string | undefined)[] = [];
  /** What the app was told to hold, by the last request that said so. */
  credit = 0;
  settleRequests = 0;
  halfClosed = false;
  done = false;
  private openRequest: v1.IOpen | undefined;

  constructor(private readonly call: Call) {
    call.on('data', (request: v1.ConsumeRequest) => this.onRequest(request));
    call.on('end', () => {
      this.halfClosed = true;
      call.end();
    });
    call.on('cancelled', () => (this.done = true));
    call.on('close', () => (this.done = true));
    call.on('error', () => (this.done = true));
  }

  async open(): Promise<v1.IOpen> {
    await until(() => this.openRequest !== undefined, 'the stream is opened');
    return this.openRequest as v1.IOpen;
  }

  /** What the app named in `Open.resume`; with a token: "token of 7". */
  async named(): Promise<Map<Id, string>> {
    const { resume } = await this.open();
    return new Map((resume ?? []).map(({ id, token }) => [toId(id ?? 0), Buffer.from(token ?? []).toString()]));
  }

  /** At least so many. */
  async awaitVerdicts(count: number): Promise<Seen[]> {
    await until(() => this.verdicts.length >= count, `there are ${count} verdicts`);
    return this.verdicts;
  }

  async awaitDrain(): Promise<v1.IDrain> {
    await until(() => this.drains.length > 0, 'the app drains');
    return this.drains[0] as v1.IDrain;
  }

  awaitHalfClose(): Promise<void> {
    return until(() => this.halfClosed, 'the stream is half-closed');
  }

  awaitDone(): Promise<void> {
    return until(() => this.done, 'the stream is gone');
  }

  write(response: v1.IConsumeResponse): void {
    this.call.write(response);
  }

  /** `resumed`: old id -> new id. */
  opened(resumed: ReadonlyMap<Id, Id> = new Map(), more: v1.IOpened = {}): void {
    const pairs = [...resumed].map(([heldId, id]) => ({ heldId: fromId(heldId), id: fromId(id) }));
    this.write({ opened: { maxLease: { seconds: 600 }, resumed: pairs, ...more } });
  }

  /** Ids and stream sequences first .. first + count - 1 in one frame, stored at `sequence` seconds. */
  deliver(first: number, count = 1, more: (delivery: v1.IDelivery, sequence: number) => v1.IDelivery = (d) => d): void {
    const deliveries = Array.from({ length: count }, (_, i) => {
      const sequence = first + i;
      const plain: v1.IDelivery = {
        id: sequence,
        subject: Buffer.from('orders.new'),
        streamSequence: sequence,
        consumerSequence: sequence,
        numDelivered: 1,
        timestamp: { seconds: sequence, nanos: 0 },
        token: Buffer.from(`token of ${sequence}`),
      };
      return more(plain, sequence);
    });
    this.write({ deliveries: { deliveries } });
  }

  draining(reason: v1.Draining.Reason, inMs = 10_000): void {
    const deadline = Date.now() + inMs;
    this.write({ draining: { reason, deadline: { seconds: Math.floor(deadline / 1000), nanos: (deadline % 1000) * 1e6 } } });
  }

  /** And ends the stream OK. */
  drained(report: v1.IDrainReport = {}): void {
    this.write({ drained: { report } });
    this.call.end();
  }

  finish(code: grpc.status, details: string): void {
    this.call.emit('error', { code, details });
  }

  /** As when the connection breaks. */
  break(): void {
    this.finish(grpc.status.UNAVAILABLE, 'broken');
  }

  private onRequest(request: v1.ConsumeRequest): void {
    this.requests.push(request.kind);
    if (request.open) {
      this.openRequest = request.open;
      this.credit = request.open.credit?.messages ?? 256;
    }
    if (request.credit) {
      this.credit = request.credit.messages ?? 0;
    }
    if (request.drain) this.drains.push(request.drain);
    if (request.settle) ++this.settleRequests;
    for (const run of request.settle?.runs ?? []) {
      for (const id of run.ids ?? []) this.verdicts.push({ id: toId(id), what: describe(run) });
    }
  }
}

export class FakeDaemon {
  readonly address: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'sluice-fake-'));
  private readonly accepted: FakeStream[] = [];
  private server: grpc.Server | undefined;

  private constructor() {
    this.address = `unix://${this.folder}/socket`;
  }

  /** Ends with the test. */
  static async start(t: TestContext): Promise<FakeDaemon> {
    const daemon = new FakeDaemon();
    t.after(() => {
      daemon.kill();
      rmSync(daemon.folder, { recursive: true });
    });
    await daemon.start();
    return daemon;
  }

  /** Comes back at the same address. */
  async start(): Promise<void> {
    const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
    server.register(
      CONSUME,
      (call: Call) => {
        this.accepted.push(new FakeStream(call));
      },
      (response: v1.IConsumeResponse) => v1.ConsumeResponse.encode(response).finish() as Buffer,
      (request: Buffer) => v1.ConsumeRequest.decode(request),
      'bidi',
    );
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(this.address, grpc.ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
    });
    this.server = server;
  }

  /** Dies, with all its streams. */
  kill(): void {
    this.server?.forceShutdown();
    this.server = undefined;
  }

  /** The next stream that was opened. */
  async accept(): Promise<FakeStream> {
    await until(() => this.accepted.length > 0, 'the app opens a stream');
    return this.accepted.shift() as FakeStream;
  }

  /** The same, once it is open. */
  async acceptOpened(): Promise<FakeStream> {
    const stream = await this.accept();
    await stream.open();
    stream.opened();
    return stream;
  }
}

/** As JetStream delivers it once more. */
export function again(delivery: v1.IDelivery, id: number): v1.IDelivery {
  return { ...delivery, id, numDelivered: 2 };
}

function describe(run: v1.ISettleRun): string {
  if (run.ack) return 'ack';
  if (run.term) return `term ${run.term.reason ?? ''}`;
  if (run.inProgress) return 'in_progress';
  const delay = toMilliseconds(run.nak?.delay);
  return delay > 0 ? `nak ${toNumber(delay)}` : 'nak';
}
