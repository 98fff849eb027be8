/** Fetches against a daemon played by the test. */
import { status } from '@grpc/grpc-js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from '../test/app';
import { until } from '../test/until';
import type { Message } from '.';

const sequences = (messages: Message[]): number[] => messages.map((m) => m.streamSequence);

test('asks for what it was asked for, and for nothing in between', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders', { bytes: 1_000 });
  const stream = await daemon.acceptOpened();
  assert.equal(stream.credit, 0);
  assert.equal(Number((await stream.open()).credit?.bytes), 1_000);
  const fetch = fetcher.fetch(3);
  await until(() => stream.credit === 3, 'three are asked for');
  stream.deliver(1, 3);
  const messages = await fetch;
  assert.deepEqual(sequences(messages), [1, 2, 3]);
  await until(() => stream.credit === 0, 'nothing is asked for');
  for (const m of messages) m.ack();
  await stream.awaitVerdicts(3);
  assert.ok(stream.verdicts.every(({ what }) => what === 'ack'));
});

test('returns what there is soon after the first', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  const stream = await daemon.acceptOpened();
  const fetch = fetcher.fetch(10, { maxWait: 60_000 });
  await until(() => stream.credit === 10, 'ten are asked for');
  stream.deliver(1);
  stream.deliver(2);
  assert.deepEqual(sequences(await fetch), [1, 2]);
});

test('returns none when its time is over', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  await daemon.acceptOpened();
  assert.deepEqual(await fetcher.fetch(10, { maxWait: 20 }), []);
  assert.deepEqual(await fetcher.fetch(10, { maxWait: 0 }), []);
});

test('what comes when nobody waits any more is handed back', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  const stream = await daemon.acceptOpened();
  assert.deepEqual(await fetcher.fetch(2, { maxWait: 20 }), []);
  stream.deliver(1, 2);
  assert.deepEqual(await stream.awaitVerdicts(2), [1, 2].map((id) => ({ id, what: 'nak' })));
});

test('fetches are served in their order, and what is held counts besides', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  const stream = await daemon.acceptOpened();
  const first = fetcher.fetch(2);
  const second = fetcher.fetch(3);
  await until(() => stream.credit === 5, 'five are asked for');
  stream.deliver(1, 5);
  assert.deepEqual(sequences(await first), [1, 2]);
  const held = await second;
  assert.deepEqual(sequences(held), [3, 4, 5]);
  const third = fetcher.fetch(2);
  await until(() => stream.credit === 7, 'two beyond the five that it holds');
  held[0]?.ack();
  await until(() => stream.credit === 6, 'two beyond the four that it holds');
  stream.deliver(6, 2);
  assert.deepEqual(sequences(await third), [6, 7]);
});

test('an aborted fetch rejects, and hands back what has come for it', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  const stream = await daemon.acceptOpened();
  const abort = new AbortController();
  const fetch = fetcher.fetch(2, { signal: abort.signal });
  const rejected = assert.rejects(fetch, /enough/);
  await until(() => stream.credit === 2, 'two are asked for');
  abort.abort(new Error('enough'));
  await rejected;
  await until(() => stream.credit === 0, 'nothing is asked for');
  await assert.rejects(fetcher.fetch(1, { signal: abort.signal }), /enough/);
  await assert.rejects(fetcher.fetch(0), /n is 0; give a whole number/);
});

test('a fetch goes on over a reconnect', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  const stream = await daemon.acceptOpened();
  const fetch = fetcher.fetch(2);
  await until(() => stream.credit === 2, 'two are asked for');
  stream.break();
  const next = await daemon.acceptOpened();
  assert.equal(next.credit, 2);
  next.deliver(1, 2);
  assert.equal((await fetch).length, 2);
});

test('a drain ends what waits, and awaits what was fetched', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('orders');
  const stream = await daemon.acceptOpened();
  const fetch = fetcher.fetch(1);
  await until(() => stream.credit === 1, 'one is asked for');
  stream.deliver(1);
  const [message] = await fetch;
  const waiting = fetcher.fetch(1);
  const drained = fetcher.drain();
  assert.deepEqual(await waiting, []);
  assert.deepEqual(await fetcher.fetch(1), []);
  await stream.awaitDrain();
  message?.ack();
  await stream.awaitVerdicts(1);
  stream.drained({ acked: 1 });
  assert.equal((await drained).acked, 1);
});

test('a refused fetcher says why', async (t) => {
  const { daemon, client } = await startApp(t);
  const fetcher = client.fetcher('ordres');
  const rejected = assert.rejects(fetcher.fetch(1), { code: 'NOT_FOUND' });
  (await daemon.accept()).finish(status.NOT_FOUND, 'no such consumer');
  await rejected;
  await assert.rejects(fetcher.fetch(1), { code: 'NOT_FOUND' });
});
