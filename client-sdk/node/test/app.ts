/** An app against a fake daemon: what most tests begin with. */
import type { TestContext } from 'node:test';
import { Client, type ClientOptions } from '../src';
import { FakeDaemon } from './fake-daemon';

export interface App {
  readonly daemon: FakeDaemon;
  readonly client: Client;
  /** What the client logged, warnings and errors. */
  readonly log: string[];
}

export async function startApp(t: TestContext, options: ClientOptions = {}): Promise<App> {
  const daemon = await FakeDaemon.start(t);
  const log: string[] = [];
  const note = (message: string): unknown => log.push(message);
  const logger = { debug: () => undefined, warn: note, error: note };
  const client = new Client({ address: daemon.address, clientId: 'me', firstRetry: 1, longestRetry: 10, logger, ...options });
  t.after(async () => {
    daemon.kill();
    await client.close();
  });
  return { daemon, client, log };
}

/** A promise, and its ends. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((r) => (resolve = r));
  return { promise, resolve };
}
