import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ACK, nak, term } from '../verdict';
import { toId } from './id';
import { MOST_IDS, Outbox } from './outbox';
import { encodeCredit, encodeDrain, v1 } from './wire';

let outbox: Outbox;

beforeEach(() => {
  outbox = new Outbox();
  outbox.open(encodeCredit(1, 0)); // in the place of Open
  assert.ok(next().credit);
  outbox.done();
});

function next(): v1.ConsumeRequest {
  const step = outbox.next();
  assert.ok(Buffer.isBuffer(step));
  return v1.ConsumeRequest.decode(step);
}

function nextRuns(): { ids: unknown[]; run: v1.ISettleRun }[] {
  return (next().settle?.runs ?? []).map((run) => ({ ids: (run.ids ?? []).map(toId), run }));
}

test('one write is in flight', () => {
  outbox.addVerdict(1, ACK);
  assert.deepEqual(nextRuns()[0]?.ids, [1]);
  outbox.addVerdict(2, ACK);
  assert.equal(outbox.next(), undefined);
  outbox.done();
  assert.deepEqual(nextRuns()[0]?.ids, [2]);
  outbox.done();
  assert.equal(outbox.next(), undefined);
});

test('equal verdicts in a row share a run', () => {
  outbox.addVerdict(1, ACK);
  outbox.addVerdict(2n ** 60n, ACK);
  outbox.addVerdict(3, nak(1500));
  outbox.addVerdict(4, nak(1500));
  outbox.addVerdict(5, nak());
  outbox.addVerdict(6, term('a'));
  outbox.addVerdict(7, term('b'));
  outbox.addInProgress(8);
  outbox.addVerdict(9, ACK);
  const runs = nextRuns();
  assert.deepEqual(
    runs.map(({ ids }) => ids),
    [[1, 2n ** 60n], [3, 4], [5], [6], [7], [8], [9]],
  );
  assert.ok(runs[0]?.run.ack);
  assert.equal(runs[1]?.run.nak?.delay?.nanos, 500_000_000);
  assert.equal(runs[2]?.run.nak?.delay ?? null, null);
  assert.equal(runs[3]?.run.term?.reason, 'a');
  assert.equal(runs[4]?.run.term?.reason, 'b');
  assert.ok(runs[5]?.run.inProgress);
});

test('requests are bounded', () => {
  for (let id = 0; id < MOST_IDS + 1; ++id) outbox.addVerdict(id, ACK);
  assert.equal(nextRuns()[0]?.ids.length, MOST_IDS);
  outbox.done();
  assert.deepEqual(nextRuns()[0]?.ids, [MOST_IDS]);
});

test('other requests keep their place', () => {
  outbox.addVerdict(1, ACK);
  outbox.add(encodeDrain(undefined));
  outbox.addVerdict(2, ACK);
  assert.deepEqual(nextRuns()[0]?.ids, [1]);
  outbox.done();
  assert.ok(next().drain);
  outbox.done();
  assert.deepEqual(nextRuns()[0]?.ids, [2]);
});

test('the half-close comes after what is queued, and nothing after it', () => {
  outbox.addVerdict(1, ACK);
  outbox.finish();
  assert.deepEqual(nextRuns()[0]?.ids, [1]);
  outbox.done();
  assert.equal(outbox.next(), 'half-close');
  outbox.addVerdict(2, ACK);
  outbox.done();
  assert.equal(outbox.next(), undefined);
});

test('an in_progress is queued until its request is taken', () => {
  const ordinal = outbox.addInProgress(1);
  assert.ok(ordinal > outbox.taken);
  next();
  assert.equal(ordinal, outbox.taken);
});

test('a closed one writes nothing until it is opened again', () => {
  outbox.addVerdict(1, ACK);
  outbox.close();
  assert.equal(outbox.next(), undefined);
  outbox.open(encodeCredit(2, 0));
  assert.ok(next().credit);
  outbox.done();
  assert.equal(outbox.next(), undefined, 'verdicts of the old stream are gone');
});
