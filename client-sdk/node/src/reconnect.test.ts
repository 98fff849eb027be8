/** What a lost stream, or a lost daemon, does to what the app holds. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startApp, type App } from '../test/app';
import { again, type FakeStream, type Seen } from '../test/fake-daemon';
import { until } from '../test/until';
import type { Consumption, Message } from '.';
import type { Id } from './internal/id';

/** An app that keeps what it gets until the test settles it. */
async function startKeeper(t: TestContext): Promise<App & { orders: Consumption; kept: Map<number, Message>; calls: () => number }> {
  const app = await startApp(t);
  const kept = new Map<number, Message>();
  let calls = 0;
  const keep = (m: Message): void => {
    ++calls;
    kept.set(m.streamSequence, m);
  };
  return { ...app, kept, calls: () => calls, orders: app.client.consume('orders', keep, { manual: true }) };
}

async function begun(kept: Map<number, Message>, sequence: number): Promise<Message> {
  await until(() => kept.has(sequence), `message ${sequence} is with the handler`);
  return kept.get(sequence) as Message;
}

function sorted(seen: Seen[]): string[] {
  return seen.map(({ id, what }) => `${id} ${what}`).sort();
}

test('comes back under its id, naming what it holds with its tokens', async (t) => {
  const { daemon, kept } = await startKeeper(t);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 4);
  await begun(kept, 4);
  kept.get(1)?.ack();
  kept.get(2)?.nak();
  await stream.awaitVerdicts(2);
  stream.break();
  const next = await daemon.accept();
  assert.equal((await next.open()).clientId, 'me');
  assert.deepEqual([...(await next.named())].sort(), [
    [1, 'token of 1'],
    [2, ''],
    [3, 'token of 3'],
    [4, 'token of 4'],
  ]);
});

test('what is resumed is settled on the new stream', async (t) => {
  const { daemon, kept, orders } = await startKeeper(t);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  const second = await begun(kept, 2);
  stream.break();
  const next = await daemon.accept();
  await next.open();
  kept.get(1)?.ack(); // while there is no stream
  next.opened(new Map<Id, Id>([[1, 1], [2, 102]])); // prettier-ignore
  await until(() => orders.stats().streams === 2, 'it is open again');
  second.nak();
  assert.deepEqual(sorted(await next.awaitVerdicts(2)), ['1 ack', '102 nak']);
  assert.equal(orders.stats().lost, 0);
});

test('a verdict that the daemon never got is sent again', async (t) => {
  const { daemon, kept } = await startKeeper(t);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  (await begun(kept, 2)).ack();
  kept.get(1)?.ack();
  await stream.awaitVerdicts(2);
  stream.break();
  const next = await daemon.accept();
  next.opened(new Map([[2, 2]]));
  assert.deepEqual(await next.awaitVerdicts(1), [{ id: 2, what: 'ack' }]);
});

test('what is not resumed is cancelled', async (t) => {
  const { daemon, kept } = await startKeeper(t);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  const second = await begun(kept, 2);
  const first = await begun(kept, 1);
  const { signal } = first;
  stream.break();
  const next = await daemon.accept();
  next.opened(new Map([[2, 2]]));
  await until(() => signal.aborted, 'the first is cancelled');
  assert.equal(second.cancelled, false);
  first.ack();
  second.ack();
  assert.deepEqual(await next.awaitVerdicts(1), [{ id: 2, what: 'ack' }]);
});

test('a new daemon delivers again, and nothing is handled twice', async (t) => {
  const { daemon, kept, calls } = await startKeeper(t);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  const running = await begun(kept, 3);
  kept.get(1)?.ack();
  kept.get(2)?.nak();
  await stream.awaitVerdicts(2);
  daemon.kill(); // before it told NATS
  await daemon.start();
  const next = await daemon.acceptOpened();
  next.deliver(1, 3, (d, sequence) => again(d, sequence + 500));
  assert.deepEqual((await next.awaitVerdicts(1))[0], { id: 501, what: 'ack' }, 'acked again without being run');
  await until(() => !running.cancelled, 'the running one goes on');
  running.ack();
  assert.deepEqual((await next.awaitVerdicts(2))[1], { id: 503, what: 'ack' }, "the running handler's verdict counts");
  await until(() => calls() === 4, '2 is run again');
});

test('first attempts are run, whatever their sequence', async (t) => {
  const { daemon, kept, calls } = await startKeeper(t);
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  (await begun(kept, 1)).ack();
  stream.break();
  const next = await daemon.acceptOpened();
  next.deliver(1); // num_delivered 1
  await until(() => calls() === 2, 'it is run');
});

test('keeps trying until there is a daemon', async (t) => {
  const { daemon, kept } = await startKeeper(t);
  await daemon.acceptOpened();
  daemon.kill();
  await daemon.start();
  for (let i = 0; i < 3; ++i) (await daemon.accept()).break();
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  (await begun(kept, 1)).ack();
  await stream.awaitVerdicts(1);
});

test('what waits is not started without a stream', async (t) => {
  const { daemon, client } = await startApp(t);
  const started: number[] = [];
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const orders = client.consume('orders', (m) => {
    started.push(m.streamSequence);
    return m.streamSequence === 1 ? released : undefined;
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await until(() => started.length === 1, 'the first runs');
  stream.break();
  const next = await daemon.accept(); // its `Opened` has yet to say what became of them
  release();
  await until(() => orders.stats().acked === 1, 'the first is done');
  next.opened(new Map([[3, 3]]));
  assert.deepEqual(await next.awaitVerdicts(1), [{ id: 3, what: 'ack' }]);
  next.deliver(4);
  await next.awaitVerdicts(2);
  assert.deepEqual(started, [1, 3, 4], '2 was lost before its turn');
});

// Handlers and streams that break at any moment: everything is acked once, on the stream that holds it.
test('nothing is lost or handled twice over many streams', async (t) => {
  const streams = 20;
  const perStream = 500;
  const { daemon, client } = await startApp(t, { firstRetry: 1, longestRetry: 2 });
  const handled = new Map<number, number>();
  const handle = async (m: Message): Promise<void> => {
    handled.set(m.streamSequence, (handled.get(m.streamSequence) ?? 0) + 1);
    if (m.streamSequence % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  };
  client.consume('orders', handle, { concurrency: 4 });
  const held = new Set<Id>();
  for (let i = 0; i < streams; ++i) {
    const stream: FakeStream = await daemon.accept();
    const named = [...(await stream.named()).keys()].filter((id) => held.has(id));
    held.clear(); // what got lost on the way a real daemon hands out again
    for (const id of named) held.add(id);
    stream.opened(new Map(named.map((id) => [id, id])));
    for (let id = i * perStream + 1; id <= (i + 1) * perStream; ++id) held.add(id);
    stream.deliver(i * perStream + 1, perStream);
    const isLast = i === streams - 1;
    await stream.awaitVerdicts(isLast ? held.size : perStream / 2);
    if (!isLast) stream.break();
    if (!isLast) await stream.awaitDone();
    for (const { id, what } of stream.verdicts) {
      assert.equal(what, 'ack');
      assert.ok(held.delete(id), `${id} was not held`);
    }
  }
  assert.equal(held.size, 0);
  for (const [sequence, times] of handled) assert.equal(times, 1, `${sequence} was handled ${times} times`);
});
