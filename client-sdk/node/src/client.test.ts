/** Handlers against a daemon played by the test. */
import { status } from '@grpc/grpc-js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, startApp } from '../test/app';
import { again } from '../test/fake-daemon';
import { until } from '../test/until';
import { Client, Reject, RetryAfter, type Message, type Result, type SluiceError, type State } from '.';
import { fromId } from './internal/id';
import { v1 } from './internal/wire';

const odd = Buffer.from([0, 0xff, 0xc3, 0x28, 0x20]);
const nothing = (): void => undefined;

test('opens with what the options say', async (t) => {
  const { daemon, client } = await startApp(t);
  client.consume('orders', nothing, { concurrency: 100, maxBatch: 7, credit: { bytes: 12_345 }, confirm: true });
  const open = await (await daemon.accept()).open();
  assert.equal(open.consumer, 'orders');
  assert.equal(open.clientId, 'me');
  assert.equal(open.credit?.messages, 400);
  assert.equal(Number(open.credit.bytes), 12_345);
  assert.equal(open.maxBatch, 7);
  assert.equal(open.confirmSettlements, true);
  assert.equal(open.resumable, true);
  assert.deepEqual(open.resume, []);
});

test('a second consumption of a consumer has an id of its own', async (t) => {
  const { client } = await startApp(t);
  assert.equal(client.consume('orders', nothing).clientId, 'me');
  assert.equal(client.consume('orders', nothing).clientId, 'me-2');
  assert.equal(client.consume('others', nothing).clientId, 'me');
});

test('client ids differ, and are cut at 128 bytes', () => {
  assert.notEqual(new Client().clientId, new Client().clientId);
  assert.ok(new Client().clientId.length <= 128);
  assert.equal(new Client({ clientId: 'é'.repeat(100) }).clientId, 'é'.repeat(64));
});

test('the address comes from the environment when it is not given', () => {
  delete process.env['SLUICE_ADDRESS'];
  assert.equal(new Client().address, 'unix:///run/sluice/sluice.sock');
  process.env['SLUICE_ADDRESS'] = 'unix:///elsewhere';
  assert.equal(new Client().address, 'unix:///elsewhere');
  process.env['SLUICE_ADDRESS'] = '';
  assert.equal(new Client().address, 'unix:///run/sluice/sluice.sock');
});

test('options beyond their limits are refused by name, before anything is opened', () => {
  const client = new Client();
  assert.throws(() => client.consume('orders', nothing, { concurrency: 0 }), /concurrency is 0; give a whole number from 1/);
  assert.throws(() => client.consume('orders', nothing, { concurrency: 1.5 }), RangeError);
  assert.throws(() => client.consume('orders', nothing, { credit: { messages: 2 ** 21 } }), /credit\.messages/);
  assert.throws(() => client.consume('orders', nothing, { maxBatch: 257 }), /maxBatch/);
});

test('verdicts arrive in the order of the messages, of sync and async handlers alike', async (t) => {
  for (const wait of [false, true]) {
    const { daemon, client } = await startApp(t);
    const decide = (m: Message): Result => {
      switch (m.streamSequence) {
        case 1:
          return undefined;
        case 2:
          throw new RetryAfter(1500);
        case 3:
          return new Reject('bad order');
        case 4:
          return new RetryAfter(0);
        case 5:
          throw new Reject();
        default:
          return new Error('returned, not thrown');
      }
    };
    const handler = wait ? async (m: Message) => Promise.resolve(m).then(decide) : decide;
    client.consume('orders', handler);
    const stream = await daemon.acceptOpened();
    stream.deliver(1, 6);
    assert.deepEqual(await stream.awaitVerdicts(6), [
      { id: 1, what: 'ack' },
      { id: 2, what: 'nak 1500' },
      { id: 3, what: 'term bad order' },
      { id: 4, what: 'nak' },
      { id: 5, what: 'term ' },
      { id: 6, what: 'nak' },
    ]);
  }
});

test('a message is delivered exactly', async (t) => {
  const { daemon, client } = await startApp(t);
  const checked = deferred();
  client.consume('orders', (m) => {
    assert.deepEqual(m.subjectBytes, odd);
    assert.deepEqual(m.data, odd);
    assert.deepEqual(m.key, Buffer.from('k'));
    assert.deepEqual(m.headers[0], ['A', '1']);
    assert.deepEqual(m.headerBytes[1], [Buffer.from('b'), odd]);
    assert.equal(m.header('A'), '1');
    assert.equal(m.header('a'), undefined);
    assert.equal(m.streamSequence, 10);
    assert.equal(m.consumerSequence, 11);
    assert.equal(m.numDelivered, 12);
    assert.equal(m.numPending, 13);
    assert.equal(m.timestampNanos, 5_000_000_007n);
    assert.equal(m.timestamp.getTime(), 5_000);
    assert.equal(m.cancelled, false);
    assert.ok((m.deadline?.getTime() ?? 0) > Date.now() + 9 * 60_000);
    checked.resolve();
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 1, () => ({
    id: 1,
    subject: odd,
    data: odd,
    key: Buffer.from('k'),
    headers: [
      { name: Buffer.from('A'), value: Buffer.from('1') },
      { name: Buffer.from('b'), value: odd },
      { name: Buffer.from('A'), value: Buffer.from('2') },
    ],
    streamSequence: 10,
    consumerSequence: 11,
    numDelivered: 12,
    numPending: 13,
    timestamp: { seconds: 5, nanos: 7 },
  }));
  await stream.awaitVerdicts(1);
  await checked.promise;
});

test('big payloads pass', async (t) => {
  const { daemon, client } = await startApp(t);
  const sizes: number[] = [];
  client.consume('orders', (m) => {
    sizes.push(m.data.length);
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 1, (d) => ({ ...d, data: Buffer.alloc(20 << 20) }));
  await stream.awaitVerdicts(1);
  assert.deepEqual(sizes, [20 << 20]);
});

test('ids beyond 2^53 are exact', async (t) => {
  const { daemon, client } = await startApp(t);
  client.consume('orders', nothing);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2, (d, i) => ({ ...d, id: fromId(2n ** 60n + BigInt(i)) }));
  assert.deepEqual(await stream.awaitVerdicts(2), [
    { id: 2n ** 60n + 1n, what: 'ack' },
    { id: 2n ** 60n + 2n, what: 'ack' },
  ]);
});

test('quick verdicts share requests', async (t) => {
  for (const handler of [nothing, async () => Promise.resolve()]) {
    const { daemon, client } = await startApp(t);
    client.consume('orders', handler, { concurrency: 4 });
    const stream = await daemon.acceptOpened();
    for (let i = 0; i < 40; ++i) stream.deliver(1 + i * 256, 256);
    await stream.awaitVerdicts(40 * 256);
    assert.ok(stream.verdicts.every(({ what }) => what === 'ack'));
    assert.ok(stream.settleRequests < (40 * 256) / 32, `${stream.settleRequests} requests`);
  }
});

test('the credit follows the handlers', async (t) => {
  const { daemon, client } = await startApp(t);
  client.consume('orders', nothing);
  const stream = await daemon.acceptOpened();
  const credit = (): number => stream.credit;
  assert.equal(credit(), 8);
  for (let next = 1; credit() <= 8; next += 8) {
    stream.deliver(next, 8);
    await stream.awaitVerdicts(next + 7);
  }
  assert.ok(credit() <= 4_096);
});

for (const keyed of [false, true]) {
  test(`the credit ${keyed ? 'grows where messages may wait for their key' : 'does not grow while no handler waits'}`, async (t) => {
    const { daemon, client } = await startApp(t);
    const kept: Message[] = []; // more than there are handlers
    const handle = (m: Message): void => {
      if (m.streamSequence <= 3) kept.push(m);
      else m.ack();
    };
    client.consume('orders', handle, { manual: true, concurrency: 2 });
    const stream = await daemon.acceptOpened();
    const deliver = (first: number, count: number): void =>
      stream.deliver(first, count, (d, sequence) => (keyed ? { ...d, key: Buffer.from(String(sequence)) } : d));
    deliver(1, 3);
    const end = performance.now() + 300; // each 50 ms say something about it
    for (let next = 4; stream.credit <= 8 && performance.now() < end; next += 8) {
      deliver(next, 8);
      await stream.awaitVerdicts(next + 4);
    }
    assert.equal(stream.credit > 8, keyed);
  });
}

test('as many handlers run as asked', async (t) => {
  const { daemon, client } = await startApp(t);
  let running = 0;
  let most = 0;
  const eight = deferred();
  client.consume(
    'orders',
    async (m) => {
      most = Math.max(most, ++running);
      if (running === 8) eight.resolve();
      if (m.streamSequence <= 8) await eight.promise; // for ever unless eight run at once
      --running;
    },
    { concurrency: 8 },
  );
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 40);
  await stream.awaitVerdicts(40);
  assert.equal(most, 8);
});

test('a slow handler holds back no neighbour of its frame', async (t) => {
  const { daemon, client } = await startApp(t);
  const released = deferred();
  client.consume('orders', (m) => (m.streamSequence === 1 ? released.promise : undefined), { concurrency: 2 });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 100);
  await stream.awaitVerdicts(99);
  assert.ok(stream.verdicts.every(({ id }) => id >= 2));
  released.resolve();
  await stream.awaitVerdicts(100);
});

test('handlers that never wait leave the event loop its turns', async (t) => {
  const { daemon, client } = await startApp(t);
  let turns = 0;
  const spin = async (): Promise<void> => {
    for (const end = performance.now() + 2; performance.now() < end; );
    await Promise.resolve();
  };
  client.consume('orders', spin, { credit: { messages: 100 } });
  const stream = await daemon.acceptOpened();
  const interval = setInterval(() => ++turns, 1);
  stream.deliver(1, 100);
  await stream.awaitVerdicts(100);
  clearInterval(interval);
  assert.ok(turns >= 10, `${turns} turns in 200 ms of work`);
});

test('a handler that throws naks, and is reported', async (t) => {
  const { daemon, client, log } = await startApp(t);
  const errors: SluiceError[] = [];
  const handler = (m: Message): void => {
    if (m.streamSequence === 1) throw new TypeError('out of ink');
  };
  const orders = client.consume('orders', handler, { onError: (error) => errors.push(error) });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  assert.deepEqual(await stream.awaitVerdicts(2), [
    { id: 1, what: 'nak' },
    { id: 2, what: 'ack' },
  ]);
  assert.equal(errors[0]?.code, 'INTERNAL');
  assert.match(errors[0].message, /out of ink/);
  assert.ok(errors[0].cause instanceof TypeError);
  assert.match(log[0] ?? '', /orders: a handler threw: out of ink/);
  assert.equal(orders.stats().thrown, 1);
});

test('verdicts are no failures', async (t) => {
  const { daemon, client, log } = await startApp(t);
  const orders = client.consume('orders', () => Promise.reject(new RetryAfter(5)));
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  await stream.awaitVerdicts(1);
  assert.equal(orders.stats().thrown, 0);
  assert.deepEqual(log, []);
});

test('with manual verdicts a message is settled later, once', async (t) => {
  const { daemon, client } = await startApp(t);
  const kept: Message[] = [];
  client.consume(
    'orders',
    (m) => {
      kept.push(m);
    },
    { manual: true },
  );
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await until(() => kept.length === 3, 'all are with the handler');
  assert.equal(kept[0]?.settled, false);
  for (const m of kept.reverse()) {
    assert.equal(m.term('late'), true);
    assert.equal(m.ack(), false, 'only the first verdict counts');
  }
  assert.deepEqual(await stream.awaitVerdicts(3), [3, 2, 1].map((id) => ({ id, what: 'term late' })));
});

test('a handler may settle by method before it returns', async (t) => {
  const { daemon, client } = await startApp(t);
  client.consume('orders', (m) => {
    m.nak(70);
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  assert.deepEqual(await stream.awaitVerdicts(2), [1, 2].map((id) => ({ id, what: 'nak 70' })));
});

test('a message that is let go of without a verdict naks', async (t) => {
  const { daemon, client } = await startApp(t);
  client.consume('orders', nothing, { manual: true });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  await until(() => {
    globalThis.gc?.();
    return stream.verdicts.length > 0;
  }, 'the garbage collector has found it');
  assert.deepEqual(stream.verdicts, [{ id: 1, what: 'nak' }]);
});

test('in_progress is told, and not piled up', async (t) => {
  const { daemon, client } = await startApp(t);
  client.consume('orders', (m) => {
    for (let i = 0; i < 10_000; ++i) m.inProgress();
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  await until(() => stream.verdicts.some(({ what }) => what === 'ack'), 'it is acked');
  assert.deepEqual(stream.verdicts, [
    { id: 1, what: 'in_progress' },
    { id: 1, what: 'ack' },
  ]);
});

test('an ended lease aborts the signal', async (t) => {
  const { daemon, client } = await startApp(t);
  const running = deferred<Message>();
  const cancelled = deferred<unknown>();
  client.consume('orders', async (m) => {
    m.signal.addEventListener('abort', () => cancelled.resolve(m.signal.reason));
    running.resolve(m);
    await cancelled.promise;
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  const message = await running.promise;
  assert.equal(message.cancelled, false);
  stream.write({ leasesEnded: { ids: [1] } });
  const reason = await cancelled.promise;
  assert.equal((reason as Error).name, 'AbortError');
  assert.equal(message.cancelled, true);
  assert.deepEqual(await stream.awaitVerdicts(1), [{ id: 1, what: 'ack' }]);
});

test('a signal that is first asked for when it is too late is aborted', async (t) => {
  const { daemon, client } = await startApp(t);
  const running = deferred<Message>();
  client.consume('orders', (m) => {
    running.resolve(m);
    return new Promise(() => undefined);
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  const message = await running.promise;
  stream.write({ leasesEnded: { ids: [1] } });
  await until(() => message.cancelled, 'its lease has ended');
  assert.equal(message.signal.aborted, true);
  stream.deliver(1, 1, (d) => again(d, 2));
  await until(() => !message.cancelled, 'it has come back');
  assert.equal(message.signal.aborted, false);
});

test('states and failed verdicts are told; a hook that throws harms nobody', async (t) => {
  const { daemon, client, log } = await startApp(t);
  const states: [State, string][] = [];
  const codes: string[] = [];
  const orders = client.consume('orders', nothing, {
    onState: (state, detail) => {
      states.push([state, detail]);
      throw new Error('out of paper');
    },
    onError: ({ code }) => codes.push(code),
  });
  const stream = await daemon.acceptOpened();
  stream.write({ state: { kind: v1.State.Kind.KIND_NATS_DOWN, detail: 'no route' } });
  const { Outcome } = v1.SettleResult;
  const outcomes = [Outcome.OUTCOME_LATE, Outcome.OUTCOME_NOT_HELD, Outcome.OUTCOME_FAILED, Outcome.OUTCOME_CONFIRMED];
  stream.write({ settleResults: { results: outcomes.map((outcome) => ({ outcome, ids: [1] })) } });
  await until(() => codes.length === 3, 'three errors are told');
  assert.deepEqual(codes, ['DEADLINE_EXCEEDED', 'NOT_FOUND', 'UNAVAILABLE']);
  assert.deepEqual(states, [
    ['CONNECTING', ''],
    ['NATS_DOWN', 'no route'],
  ]);
  assert.equal(orders.state, 'NATS_DOWN');
  const { late, notHeld, failed } = orders.stats();
  assert.deepEqual([late, notHeld, failed], [1, 1, 1]);
  assert.match(log.join('\n'), /a hook threw: Error: out of paper/);
});

test('a permanent error ends it, and says what the daemon said', async (t) => {
  const { daemon, client } = await startApp(t);
  const states: string[] = [];
  const orders = client.consume('ordres', nothing, { onState: (state, detail) => states.push(`${state} ${detail}`) });
  (await daemon.accept()).finish(status.NOT_FOUND, 'no consumer "ordres"; there is: orders');
  const error = await orders.closed;
  assert.equal(error?.code, 'NOT_FOUND');
  assert.match(error.message, /there is: orders/);
  assert.equal(orders.isClosed, true);
  assert.match(states.at(-1) ?? '', /^CLOSED .*there is: orders/);
});

test('a batch handler gets what waits, and its verdict is for all that have none', async (t) => {
  const { daemon, client } = await startApp(t);
  const sizes: number[] = [];
  const handler = async (batch: Message[]): Promise<void> => {
    sizes.push(batch.length);
    batch[0]?.term('bad');
    await Promise.resolve();
    if (sizes.length === 2) throw new RetryAfter(9);
  };
  client.consumeBatches('orders', handler, { batch: 3 });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 5);
  const verdicts = await stream.awaitVerdicts(5);
  assert.deepEqual(sizes, [3, 2]);
  assert.deepEqual(verdicts.map(({ id, what }) => `${id} ${what}`), ['1 term bad', '2 ack', '3 ack', '4 term bad', '5 nak 9']);
});

test('messages of one key never run at once, and in order; keys in parallel', async (t) => {
  const { daemon, client } = await startApp(t);
  const running = new Map<string, number>();
  const order = new Map<string, number[]>();
  let most = 0;
  const key = (m: Message): string => m.text();
  client.consume(
    'orders',
    async (m) => {
      const before = running.get(key(m)) ?? 0;
      assert.equal(before, 0, 'one of its key is running');
      running.set(key(m), 1);
      most = Math.max(most, [...running.values()].reduce((a, b) => a + b));
      order.set(key(m), [...(order.get(key(m)) ?? []), m.streamSequence]);
      await new Promise((resolve) => setImmediate(resolve));
      running.set(key(m), 0);
    },
    { concurrency: 8, key },
  );
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 60, (d, i) => ({ ...d, data: Buffer.from('abc'.charAt(i % 3)) }));
  await stream.awaitVerdicts(60);
  assert.ok(stream.verdicts.every(({ what }) => what === 'ack'));
  assert.equal(most, 3);
  for (const sequences of order.values()) assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b));
});

test("without a key of the app's own, the daemon's counts", async (t) => {
  const { daemon, client } = await startApp(t);
  const started: number[] = [];
  const released = deferred();
  const handler = (m: Message): Promise<void> | undefined => {
    started.push(m.streamSequence);
    return m.streamSequence === 1 ? released.promise : undefined;
  };
  client.consume('orders', handler, { concurrency: 4 });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3, (d, i) => ({ ...d, key: Buffer.from(i === 3 ? 'b' : 'a') }));
  await stream.awaitVerdicts(1);
  assert.deepEqual(started, [1, 3]);
  released.resolve();
  await stream.awaitVerdicts(3);
  assert.deepEqual(started, [1, 3, 2]);
});

test('with manual verdicts a key is free when its message is settled', async (t) => {
  const { daemon, client } = await startApp(t);
  const begun: Message[] = [];
  client.consume(
    'orders',
    (m) => {
      begun.push(m);
    },
    { concurrency: 4, manual: true, key: () => 'all' },
  );
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  await until(() => begun.length === 1, 'the first has begun');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(begun.length, 1);
  begun[0]?.ack();
  await until(() => begun.length === 2, 'the second has begun');
});

test('a key function that throws is reported, and its message runs all the same', async (t) => {
  const { daemon, client } = await startApp(t);
  const key = (): string => {
    throw new Error('no key');
  };
  const orders = client.consume('orders', nothing, { concurrency: 2, key });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  assert.deepEqual(await stream.awaitVerdicts(1), [{ id: 1, what: 'ack' }]);
  assert.equal(orders.stats().thrown, 1);
});

test('stopping hands back, and drops later verdicts', async (t) => {
  const { daemon, client } = await startApp(t);
  const running = deferred<Message>();
  const orders = client.consume('orders', (m) => running.resolve(m), { manual: true });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  const message = await running.promise;
  const stopped = orders.stop();
  await stream.awaitHalfClose();
  await stopped;
  assert.equal(await orders.closed, undefined);
  assert.equal(message.cancelled, true);
  assert.equal(message.ack(), true);
  assert.deepEqual(stream.verdicts, []);
});

test('verdicts given before the stop arrive', async (t) => {
  const { daemon, client } = await startApp(t);
  let handled = 0;
  const orders = client.consume('orders', () => {
    ++handled;
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 200);
  await until(() => handled === 200, 'all are handled');
  void orders.stop();
  await stream.awaitHalfClose();
  assert.equal(stream.verdicts.length, 200);
});
