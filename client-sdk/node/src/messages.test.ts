/** Loops against a daemon played by the test. */
import { status } from '@grpc/grpc-js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, startApp } from '../test/app';
import { until } from '../test/until';
import type { Message, Messages } from '.';

test('a loop gets the messages, and naks what gets no verdict in its turn', async (t) => {
  const { daemon, client } = await startApp(t);
  const seen: number[] = [];
  const loop = (async () => {
    for await (const m of client.messages('orders')) {
      seen.push(m.streamSequence);
      if (m.streamSequence !== 2) m.ack();
      if (m.streamSequence === 3) break;
    }
  })();
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await loop;
  assert.deepEqual(seen, [1, 2, 3]);
  assert.deepEqual(
    (await stream.awaitVerdicts(3)).map(({ what }) => what),
    ['ack', 'nak', 'ack'],
  );
});

test('nothing is held while there is no loop; another one goes on', async (t) => {
  const { daemon, client } = await startApp(t);
  const messages = client.messages('orders');
  const stream = await daemon.acceptOpened();
  assert.equal(stream.credit, 0);
  const first = (async () => {
    for await (const m of messages) if (m.ack()) break;
  })();
  await until(() => stream.credit === 8, 'the loop takes messages');
  stream.deliver(1, 3);
  await first;
  await until(() => stream.credit === 0, 'nothing is asked for');
  assert.deepEqual(
    (await stream.awaitVerdicts(3)).map(({ id, what }) => `${id} ${what}`),
    ['1 ack', '2 nak', '3 nak'],
  );
  stream.deliver(4); // it was under way
  assert.deepEqual((await stream.awaitVerdicts(4))[3], { id: 4, what: 'nak' });
  const second = (async () => {
    for await (const m of messages) if (m.ack()) break;
  })();
  await until(() => stream.credit === 8, 'the second loop takes messages');
  stream.deliver(5);
  await second;
  assert.deepEqual((await stream.awaitVerdicts(5))[4], { id: 5, what: 'ack' });
});

test('a loop that throws naks the message of its turn', async (t) => {
  const { daemon, client } = await startApp(t);
  const loop = (async () => {
    for await (const m of client.messages('orders')) throw new Error(`out of ink at ${m.streamSequence}`);
  })();
  const rejected = assert.rejects(loop, /out of ink at 1/);
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  await rejected;
  assert.deepEqual(await stream.awaitVerdicts(1), [{ id: 1, what: 'nak' }]);
});

test('with manual verdicts the end of a turn is none', async (t) => {
  const { daemon, client } = await startApp(t);
  const kept: Message[] = [];
  const messages = client.messages('orders', { manual: true });
  const loop = (async () => {
    for await (const m of messages) kept.push(m);
  })();
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await until(() => kept.length === 3, 'all have had their turn');
  for (const m of kept) m.term('late');
  await stream.awaitVerdicts(3);
  assert.ok(stream.verdicts.every(({ what }) => what === 'term late'));
  void messages.stop();
  await loop;
});

test('a drain ends the loop, once what waits is worked off', async (t) => {
  const { daemon, client } = await startApp(t);
  const messages = client.messages('orders');
  const seen: number[] = [];
  const first = deferred();
  const loop = (async () => {
    for await (const m of messages) {
      seen.push(m.streamSequence);
      if (m.streamSequence === 1) await first.promise;
      m.ack();
    }
  })();
  const stream = await daemon.acceptOpened();
  await until(() => stream.credit > 0, 'the loop takes messages');
  stream.deliver(1, 3);
  await until(() => messages.stats().received === 3, 'all have come');
  const drained = messages.drain();
  await stream.awaitDrain();
  first.resolve();
  await stream.awaitVerdicts(3);
  stream.drained({ acked: 3 });
  await loop;
  assert.equal((await drained).acked, 3);
  assert.deepEqual(seen, [1, 2, 3]);
});

test('after a break a drain has nothing to wait for', async (t) => {
  const { daemon, client } = await startApp(t);
  const messages = client.messages('orders');
  const loop = (async () => {
    for await (const m of messages) if (m.ack()) break;
  })();
  const stream = await daemon.acceptOpened();
  await until(() => stream.credit > 0, 'the loop takes messages');
  stream.deliver(1, 2);
  await loop;
  const drained = messages.drain();
  await stream.awaitDrain();
  stream.deliver(3); // it was under way
  await stream.awaitVerdicts(3);
  stream.drained({});
  assert.equal((await drained).completed, true);
  assert.deepEqual(stream.verdicts.map(({ what }) => what), ['ack', 'nak', 'nak']);
});

test('several loops share the messages', async (t) => {
  const { daemon, client } = await startApp(t);
  const messages = client.messages('orders');
  const both = deferred();
  let here = 0;
  const loop = async (from: Messages): Promise<void> => {
    for await (const m of from) {
      if (++here === 2) both.resolve();
      if (here <= 2) await both.promise; // one of the two each
      m.ack();
    }
  };
  const loops = [loop(messages), loop(messages)];
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 6);
  await stream.awaitVerdicts(6);
  void messages.stop();
  await Promise.all(loops);
});

test('a loop throws what the daemon refused it for', async (t) => {
  const { daemon, client } = await startApp(t);
  const loop = (async () => {
    for await (const m of client.messages('ordres')) m.ack();
  })();
  const rejected = assert.rejects(loop, { code: 'NOT_FOUND', message: 'no such consumer' });
  (await daemon.accept()).finish(status.NOT_FOUND, 'no such consumer');
  await rejected;
});
