/** How a consumption ends, against a daemon played by the test. */
import { status } from '@grpc/grpc-js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, startApp } from '../test/app';
import { PlayedTimers } from '../test/timers';
import { until } from '../test/until';
import { run, type Draining, type DrainReport, type Message } from '.';
import { v1 } from './internal/wire';

const { REASON_APP, REASON_DAEMON } = v1.Draining.Reason;
const REPORT: v1.IDrainReport = {
  awaited: 3,
  acked: 2,
  naked: 1,
  phases: [{ phase: 'SETTLING', duration: { seconds: 1, nanos: 500_000_000 } }],
};

test('a drain lets what waits be worked off, and returns the report', async (t) => {
  const { daemon, client } = await startApp(t);
  const released = deferred();
  const orders = client.consume('orders', () => released.promise);
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await until(() => orders.stats().received === 3, 'all have come');
  const report = orders.drain(1500);
  const { timeout } = await stream.awaitDrain();
  assert.deepEqual([Number(timeout?.seconds), timeout?.nanos], [1, 500_000_000]);
  stream.draining(REASON_APP);
  released.resolve();
  await stream.awaitVerdicts(3);
  stream.drained(REPORT);
  const { completed, awaited, acked, naked, phases } = await report;
  assert.deepEqual(
    { completed, awaited, acked, naked, phases },
    { completed: true, awaited: 3, acked: 2, naked: 1, phases: [{ phase: 'SETTLING', duration: 1500 }] },
  );
  assert.equal(await orders.closed, undefined);
});

test('without a timeout the daemon has its own', async (t) => {
  const { daemon, client } = await startApp(t);
  const orders = client.consume('orders', () => undefined);
  const stream = await daemon.acceptOpened();
  orders.startDrain();
  assert.equal((await stream.awaitDrain()).timeout ?? null, null);
  stream.drained();
  await orders.closed;
});

test('with handBack what waits is handed back, after the drain was told', async (t) => {
  const { daemon, client } = await startApp(t);
  const released = deferred();
  const orders = client.consume('orders', () => released.promise, { handBack: true });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await until(() => orders.stats().received === 3, 'all have come');
  orders.startDrain();
  assert.deepEqual(await stream.awaitVerdicts(2), [2, 3].map((id) => ({ id, what: 'nak' })));
  assert.deepEqual(stream.requests, ['open', 'drain', 'settle'], 'else it would come again, as there still is credit');
  stream.deliver(4, 1); // it was on its way when the drain began
  assert.deepEqual((await stream.awaitVerdicts(3)).at(-1), { id: 4, what: 'nak' });
  released.resolve();
  await stream.awaitVerdicts(4);
  stream.drained();
  await orders.closed;
});

test('what waits at the deadline is not started any more, and what runs is cancelled once the daemon has given it back', async (t) => {
  const { daemon, client } = await startApp(t);
  const started: Message[] = [];
  const released = deferred();
  const orders = client.consume('orders', (m) => {
    started.push(m);
    return released.promise;
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 3);
  await until(() => orders.stats().received === 3, 'all have come');
  orders.startDrain(0);
  await stream.awaitDrain();
  stream.draining(REASON_APP, 0);
  await new Promise((resolve) => setTimeout(resolve, 20)); // its deadline is over, its word is not here yet
  assert.equal(started[0]?.cancelled, false);
  stream.drained({ naked: 3, deadlineExceeded: true });
  await orders.closed;
  assert.equal(started[0].cancelled, true);
  released.resolve();
  await until(() => orders.stats().acked === 1, 'it was acked, to nobody');
  assert.equal(started.length, 1);
});

test("in the daemon's drain the app finishes, and goes over to the successor", async (t) => {
  const { daemon, client } = await startApp(t);
  const told: Draining[] = [];
  const reports: DrainReport[] = [];
  const released = deferred();
  const orders = client.consume('orders', () => released.promise, {
    onDraining: (draining) => told.push(draining),
    onDrained: (report) => reports.push(report),
  });
  const stream = await daemon.acceptOpened();
  stream.deliver(1, 2);
  stream.draining(REASON_DAEMON);
  await until(() => told.length > 0, 'the drain is told');
  assert.equal(told[0]?.byDaemon, true);
  assert.ok(told[0].deadline.getTime() > Date.now());
  released.resolve();
  await stream.awaitVerdicts(2);
  stream.drained(REPORT);
  await until(() => reports.length > 0, 'the report is told');
  (await daemon.accept()).finish(status.UNAVAILABLE, 'draining');
  const successor = await daemon.acceptOpened();
  successor.deliver(10);
  await successor.awaitVerdicts(1);
  assert.equal(orders.drainReport.completed, false, "it was not the app's");
});

test('the deadline of a message is that of the drain', async (t) => {
  const { daemon, client } = await startApp(t);
  const running = deferred<Message>();
  const draining = deferred<Draining>();
  client.consume('orders', (m) => running.resolve(m), { manual: true, onDraining: draining.resolve });
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  const message = await running.promise;
  const soon = Date.now() + 60_000;
  assert.ok((message.deadline?.getTime() ?? 0) > soon);
  stream.draining(REASON_DAEMON);
  const { deadline } = await draining.promise;
  assert.deepEqual(message.deadline, deadline);
});

test('a drain goes on after a reconnect, without new messages', async (t) => {
  const { daemon, client } = await startApp(t);
  const released = deferred();
  const orders = client.consume('orders', () => released.promise);
  const stream = await daemon.acceptOpened();
  stream.deliver(1);
  await until(() => orders.stats().received === 1, 'it has come');
  orders.startDrain();
  await stream.awaitDrain();
  stream.break();
  const next = await daemon.accept();
  assert.equal((await next.open()).credit?.messages, 0);
  next.opened(new Map([[1, 1]]));
  await next.awaitDrain();
  released.resolve();
  await next.awaitVerdicts(1);
  next.drained(REPORT);
  await orders.closed;
  assert.equal(orders.drainReport.completed, true);
});

test('without a daemon there is nothing to wait for', async (t) => {
  const { daemon, client } = await startApp(t);
  daemon.kill();
  assert.equal((await client.consume('orders', () => undefined).drain()).completed, false);
  await client.consume('orders', () => undefined).stop();
});

test('a daemon that is silent is left', async (t) => {
  const timers = new PlayedTimers(t);
  timers.enable();
  const { daemon, client } = await startApp(t);
  const orders = client.consume('orders', () => undefined);
  timers.reset();
  const stream = await daemon.acceptOpened();
  await until(() => orders.stats().streams === 1, 'it is open');
  timers.enable();
  const report = orders.drain(0);
  timers.tick(5_000);
  timers.reset();
  assert.equal((await report).completed, false);
  await stream.awaitDone();
});

test('a daemon that does not answer the first request is tried again', async (t) => {
  const timers = new PlayedTimers(t);
  const { daemon, client } = await startApp(t);
  timers.enable();
  client.consume('orders', () => undefined);
  await Promise.resolve();
  timers.tick(10_000);
  timers.reset();
  await daemon.acceptOpened();
});

test('a second drain joins the first', async (t) => {
  const { daemon, client } = await startApp(t);
  const orders = client.consume('orders', () => undefined);
  const stream = await daemon.acceptOpened();
  const both = Promise.all([orders.drain(), orders.drain()]);
  await stream.awaitDrain();
  stream.drained(REPORT);
  assert.deepEqual((await both).map(({ awaited }) => awaited), [3, 3]);
  assert.equal(stream.drains.length, 1);
});

test('a signal drains all, and the signals are the system\'s again', async (t) => {
  const { daemon, client } = await startApp(t);
  const consumptions = [client.consume('orders', () => undefined), client.consume('others', () => undefined)];
  const streams = [await daemon.acceptOpened(), await daemon.acceptOpened()];
  const before = process.listenerCount('SIGTERM');
  const reports = run(consumptions);
  process.kill(process.pid, 'SIGTERM');
  for (const stream of streams) {
    await stream.awaitDrain();
    stream.drained(REPORT);
  }
  assert.deepEqual((await reports).map(({ awaited }) => awaited), [3, 3]);
  assert.equal(process.listenerCount('SIGTERM'), before);
  assert.equal(process.listenerCount('SIGINT'), 0);
});

test('a second SIGINT is left to the system, a second SIGTERM changes nothing', async (t) => {
  const { daemon, client } = await startApp(t);
  const orders = client.consume('orders', () => undefined);
  const stream = await daemon.acceptOpened();
  const report = run(orders, { timeout: 700 });
  process.kill(process.pid, 'SIGINT');
  assert.equal((await stream.awaitDrain()).timeout?.nanos, 700_000_000);
  assert.equal(process.listenerCount('SIGINT'), 0);
  process.kill(process.pid, 'SIGTERM');
  stream.drained(REPORT);
  assert.equal((await report).completed, true);
  assert.equal(stream.drains.length, 1);
});

test('running ends with the consumption', async (t) => {
  const { daemon, client } = await startApp(t);
  const orders = client.consume('orders', () => undefined);
  const report = run(orders);
  (await daemon.accept()).finish(status.PERMISSION_DENIED, 'no');
  assert.equal((await report).completed, false);
  assert.equal((await orders.closed)?.code, 'PERMISSION_DENIED');
});
