/** The client, the real daemon and a real nats-server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Reject, RetryAfter } from '../src';
import { until } from './until';
import { World } from './world';

const ignore = (): void => undefined;

test('every verdict arrives at the server', { timeout: 60_000 }, async (t) => {
  const world = await World.start(t);
  const client = new Client({ address: world.address });
  const attempts = new Map<string, number>();
  const orders = client.consume(
    'orders',
    async (m) => {
      const what = m.text();
      attempts.set(what, m.numDelivered);
      await Promise.resolve();
      if (what === 'reject') throw new Reject('no such product');
      if (what === 'retry' && m.numDelivered === 1) return new RetryAfter(20);
      if (what === 'fail' && m.numDelivered === 1) throw new Error('out of ink');
      return undefined;
    },
    { concurrency: 4 },
  );
  for (const what of ['ack', 'reject', 'retry', 'fail']) await world.publish(what);
  await until(() => attempts.get('retry') === 2 && attempts.get('fail') === 2, 'the failed ones came again');
  const report = await orders.drain();
  assert.equal(report.completed, true);
  assert.equal(await orders.closed, undefined);
  assert.equal(attempts.size, 4);
  await world.settled();
  const { acked, naked, terminated, thrown, inFlight } = orders.stats();
  assert.deepEqual({ acked, naked, terminated, thrown, inFlight }, { acked: 3, naked: 2, terminated: 1, thrown: 1, inFlight: 0 });
  await client.close();
});

test('a loop and a fetch take what there is', { timeout: 60_000 }, async (t) => {
  const world = await World.start(t);
  const client = new Client({ address: world.address });
  for (let i = 1; i <= 10; ++i) await world.publish(`${i}`, { A: '1' });
  const seen: string[] = [];
  const messages = client.messages('orders');
  for await (const m of messages) {
    seen.push(m.text());
    m.ack();
    if (seen.length === 4) break;
  }
  assert.equal((await messages.drain()).completed, true);
  const fetcher = client.fetcher('orders');
  while (seen.length < 10) {
    const fetched = await fetcher.fetch(4, { maxWait: 5_000 });
    assert.ok(fetched.length >= 1 && fetched.length <= 4);
    for (const m of fetched) {
      assert.equal(m.header('A'), '1');
      seen.push(m.text());
      m.ack();
    }
  }
  assert.deepEqual(await fetcher.fetch(4, { maxWait: 50 }), []);
  assert.equal((await fetcher.drain()).completed, true);
  assert.deepEqual(seen.map(Number).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  await world.settled();
  await client.close();
});

test('a killed daemon costs nothing: what ran goes on, what was done is not done again', { timeout: 60_000 }, async (t) => {
  const world = await World.start(t, ['config: {ack_wait: 30s}']);
  const client = new Client({ address: world.address });
  const runs = new Map<number, number>();
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const orders = client.consume(
    'orders',
    async (m) => {
      runs.set(m.streamSequence, (runs.get(m.streamSequence) ?? 0) + 1);
      if (m.text() === 'long') await released;
    },
    { concurrency: 2 },
  );
  await world.publish('long');
  for (let i = 0; i < 20; ++i) await world.publish('short');
  await until(() => orders.stats().acked === 20, 'the short ones are acked');
  await world.endDaemon('SIGKILL');
  await world.startDaemon();
  await until(() => orders.stats().streams === 2, 'there is a new stream');
  release();
  await until(() => orders.stats().acked === 21, 'the long one is acked');
  assert.equal((await orders.drain()).completed, true);
  await world.settled();
  assert.deepEqual([...runs.values()], Array.from({ length: 21 }, () => 1));
});

test('an unknown consumer is told by name', { timeout: 60_000 }, async (t) => {
  const world = await World.start(t);
  const client = new Client({ address: world.address, logger: { debug: ignore, warn: ignore, error: ignore } });
  const error = await client.consume('ordres', () => undefined).closed;
  assert.equal(error?.code, 'NOT_FOUND');
  assert.match(error.message, /orders/);
  await assert.rejects(async () => {
    for await (const m of client.messages('ordres')) m.ack();
  }, { code: 'NOT_FOUND' });
  await assert.rejects(client.fetcher('ordres').fetch(1), { code: 'NOT_FOUND' });
});

test('verdicts are confirmed', { timeout: 60_000 }, async (t) => {
  const world = await World.start(t);
  const client = new Client({ address: world.address });
  const outcomes: string[] = [];
  const orders = client.consume(
    'orders',
    (m) => {
      m.inProgress();
      void m.outcome.then((outcome) => outcomes.push(outcome));
      m.ack();
    },
    { confirm: true, manual: true },
  );
  for (let i = 0; i < 5; ++i) await world.publish('x');
  await until(() => outcomes.length === 5, 'all are confirmed');
  assert.deepEqual(new Set(outcomes), new Set(['CONFIRMED']));
  assert.equal(await world.outstanding(), 0);
  await orders.drain();
});
