/** A real nats-server and a real daemon, each test its own. */
import { jetstream, jetstreamManager, type JetStreamClient } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { until } from './until';

export const STREAM = 'ORDERS';

export class World {
  readonly address: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'sluice-node-'));
  private readonly configFile = join(this.folder, 'sluice.yaml');
  private readonly log = join(this.folder, 'log');
  private server: ChildProcess | undefined;
  private daemon: ChildProcess | undefined;
  private nats: NatsConnection | undefined;
  private js: JetStreamClient | undefined;

  private constructor() {
    this.address = `unix://${this.folder}/sluice.sock`;
  }

  /** Ends with the test. `consumer`: lines of YAML under the consumer `orders`. */
  static async start(t: TestContext, consumer: readonly string[] = []): Promise<World> {
    const world = new World();
    t.after(() => world.end());
    const url = await world.startNats();
    world.nats = await connect({ servers: url });
    const manager = await jetstreamManager(world.nats);
    await manager.streams.add({ name: STREAM, subjects: ['orders.>'] });
    world.js = jetstream(world.nats);
    const lines = [
      `nats: {servers: ["${url}"]}`,
      `listen: {unix: ${world.folder}/sluice.sock}`,
      'drain: {timeout: 10s}',
      'consumers:',
      '  - name: orders',
      `    stream: ${STREAM}`,
      ...consumer.map((line) => `    ${line}`),
    ];
    writeFileSync(world.configFile, lines.join('\n'));
    await world.startDaemon();
    return world;
  }

  async publish(data: string | Uint8Array, header: Readonly<Record<string, string>> = {}): Promise<number> {
    const all = headers();
    for (const [name, value] of Object.entries(header)) all.append(name, value);
    const { seq } = await (this.js as JetStreamClient).publish('orders.new', data, { headers: all });
    return seq;
  }

  /** How many messages have no ack yet. */
  async outstanding(): Promise<number> {
    const manager = await jetstreamManager(this.nats as NatsConnection);
    const info = await manager.consumers.info(STREAM, 'orders');
    return info.num_ack_pending + info.num_pending;
  }

  /** Until the server has every verdict: a daemon passes them on a moment after it got them. */
  async settled(): Promise<void> {
    for (let left = 200; (await this.outstanding()) > 0; --left) {
      if (left === 0) throw new Error(`${await this.outstanding()} messages are still outstanding`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async startDaemon(): Promise<void> {
    this.daemon = this.spawn(process.env['SLUICE_BIN'] ?? 'sluice', ['serve', '--config', this.configFile]);
    await until(() => readdirSync(this.folder).includes('sluice.sock'), 'the daemon listens');
  }

  async endDaemon(signal: NodeJS.Signals): Promise<void> {
    await end(this.daemon, signal);
  }

  private async startNats(): Promise<string> {
    const args = ['-a', '127.0.0.1', '-p', '-1', '-js', '-sd', join(this.folder, 'js'), '--ports_file_dir', this.folder];
    this.server = this.spawn('nats-server', args);
    // It may be there before all of it is written, which ends with the line.
    const ports = (): string => {
      const name = readdirSync(this.folder).find((file) => file.endsWith('.ports'));
      return name === undefined ? '' : readFileSync(join(this.folder, name), 'utf8').trim();
    };
    await until(() => ports().endsWith('}'), 'nats-server listens');
    const { nats } = JSON.parse(ports()) as { nats: string[] };
    return nats[0] as string;
  }

  private spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(this.log, 'a');
    return spawn(program, args, { stdio: ['ignore', log, log] });
  }

  private async end(): Promise<void> {
    await this.nats?.close();
    await end(this.daemon, 'SIGKILL');
    await end(this.server, 'SIGKILL');
    rmSync(this.folder, { recursive: true });
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
