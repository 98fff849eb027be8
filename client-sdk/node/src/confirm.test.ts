/** Confirmed verdicts against a daemon played by the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, startApp } from '../test/app';
import type { Message } from '.';
import { v1 } from './internal/wire';

const { OUTCOME_CONFIRMED, OUTCOME_LATE } = v1.SettleResult.Outcome;

test('each verdict has its outcome', async (t) => {
  const { daemon, client } = await startApp(t);
  const kept: Message[] = [];
  const all = deferred();
  const keep = (m: Message): void => {
    if (kept.push(m) === 3) all.resolve();
  };
  const orders = client.consume('orders', keep, { confirm: true, manual: true });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await all.promise;
  const [first, second, third] = kept as [Message, Message, Message];
  const before = first.outcome; // asked for before its verdict
  first.inProgress(); // confirmed as well, and not for the verdict
  first.ack();
  second.nak();
  third.ack();
  await stream.awaitVerdicts(4);
  stream.write({ settleResults: { results: [{ outcome: OUTCOME_LATE, ids: [1] }] } });
  stream.write({ settleResults: { results: [{ outcome: OUTCOME_CONFIRMED, ids: [1, 3] }] } });
  stream.write({ settleResults: { results: [{ outcome: OUTCOME_LATE, ids: [2] }] } });
  assert.equal(await before, 'CONFIRMED');
  assert.equal(await second.outcome, 'LATE');
  assert.equal(await third.outcome, 'CONFIRMED', 'asked for after it was there');
  void orders.stop();
});

test('a verdict that is sent again is confirmed under its new id; what a new stream does not know has failed', async (t) => {
  const { daemon, client } = await startApp(t);
  const kept: Message[] = [];
  const both = deferred();
  const keep = (m: Message): void => {
    if (kept.push(m) === 2) both.resolve();
  };
  client.consume('orders', keep, { confirm: true, manual: true });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  await both.promise;
  for (const m of kept) m.ack();
  await stream.awaitVerdicts(2);
  stream.break();
  const next = await daemon.accept();
  next.opened(new Map([[1, 51]]));
  await next.awaitVerdicts(1);
  next.write({ settleResults: { results: [{ outcome: OUTCOME_CONFIRMED, ids: [51] }] } });
  assert.deepEqual(await Promise.all(kept.map((m) => m.outcome)), ['CONFIRMED', 'FAILED']);
});

test('what is not confirmed at the end has failed', async (t) => {
  const { daemon, client } = await startApp(t);
  const outcome = deferred<string>();
  const orders = client.consume('orders', (m) => void m.outcome.then(outcome.resolve), { confirm: true });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  await stream.awaitVerdicts(1);
  const stopped = orders.stop();
  await stream.awaitHalfClose();
  await stopped;
  assert.equal(await outcome.promise, 'FAILED');
});

test('without the option an outcome says which one it needs', async (t) => {
  const { daemon, client } = await startApp(t);
  const outcome = deferred<unknown>();
  client.consume('orders', (m) => m.outcome.then(() => undefined, outcome.resolve));
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  assert.match(String(await outcome.promise), /confirm: true/);
});
