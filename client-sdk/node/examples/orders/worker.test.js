// The worker against a real daemon and nats-server: killed in the middle, and ended as Kubernetes does.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';
import { until } from '../../build/test/until.js';
import { World } from '../../build/test/world.js';

const ORDERS = 400;

test('each order is booked once', { timeout: 120_000 }, async (t) => {
  const world = await World.start(t, ['config: {ack_wait: 2s}']);
  const folder = mkdtempSync(join(tmpdir(), 'orders-'));
  const file = join(folder, 'orders.db');
  let worker;
  t.after(() => {
    worker?.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  const start = () => {
    worker = spawn(process.execPath, [fileURLToPath(new URL('worker.js', import.meta.url))], {
      env: { ...process.env, SLUICE_ADDRESS: world.address, DATABASE: file },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return once(worker, 'exit');
  };
  const publish = (id) => world.publish(JSON.stringify({ id: `o-${id}`, customer: id % 2 ? 'ada' : 'bob', cents: 100 }));
  for (let id = 0; id < ORDERS / 2; ++id) await publish(id);

  const killed = start();
  await until(() => booked(file) > 0, 'something is booked');
  worker.kill('SIGKILL');
  await killed;

  const drained = start();
  await world.publish('no order');
  for (let id = 0; id < ORDERS; ++id) await publish(id); // half of them a second time
  await until(() => booked(file) === ORDERS, 'all are booked');
  await world.settled();
  worker.kill('SIGTERM');
  assert.deepEqual(await drained, [0, null]);

  const db = new Database(file, { readonly: true });
  const balances = db.prepare('SELECT customer, cents FROM balances ORDER BY customer').raw().all();
  db.close();
  const half = (ORDERS / 2) * 100;
  assert.deepEqual(balances, [['ada', half], ['bob', half]]); // prettier-ignore
});

function booked(file) {
  let db;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true });
    return db.prepare('SELECT count(*) AS count FROM orders').get().count;
  } catch {
    return 0; // not there yet
  } finally {
    db?.close();
  }
}
