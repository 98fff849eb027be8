import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ACK, nak, term } from '../verdict';
import { Place, type Delivery } from './delivery';
import { Frame } from './frame';
import type { Id } from './id';
import { Ledger, type Settlement } from './ledger';
import { v1 } from './wire';

const CREDIT = 4;
const REMEMBERED = 8;
const NAK = nak();

interface Content {
  id: number;
  sequence: number;
  numDelivered?: number;
  stored?: number; // seconds; `sequence` if not given
  token?: Buffer;
  data?: Buffer;
}

let ledger: Ledger;
let told: readonly Settlement[]; // by the last receive()

beforeEach(() => {
  ledger = new Ledger(CREDIT, REMEMBERED);
  ledger.onOpened(new Map());
});

function receive(content: Content): Delivery {
  const { id, sequence, numDelivered = 1, stored = sequence, token = Buffer.from(`token of ${id}`), data } = content;
  const delivery: v1.IDelivery = { id, streamSequence: sequence, numDelivered, token, timestamp: { seconds: stored, nanos: 7 } };
  if (data !== undefined) delivery.data = data;
  const frame = new Frame(Buffer.from(v1.ConsumeResponse.encode({ deliveries: { deliveries: [delivery] } }).finish()));
  told = ledger.accept(frame, 1_000);
  return frame.deliveries[0] as Delivery;
}

function start(content: Content): Delivery {
  const delivery = receive(content);
  assert.equal(delivery.place, Place.Queued);
  delivery.place = Place.Started;
  return delivery;
}

function isWaiting(delivery: Delivery): boolean {
  return delivery.place === Place.Queued;
}

function reopen(...resumed: [Id, Id][]): readonly Settlement[] {
  ledger.onStreamEnded();
  return ledger.onOpened(new Map(resumed));
}

function named(kept = true): Id[] {
  return ledger.nameHeld(kept).map(({ id }) => id);
}

function namedWithToken(kept: boolean): Id[] {
  const isItsOwn = (id: Id, token: Buffer | undefined): boolean => token?.toString() === `token of ${id}`;
  return ledger
    .nameHeld(kept)
    .filter(({ id, token }) => isItsOwn(id, token))
    .map(({ id }) => id);
}

function sorted(ids: Id[]): Id[] {
  return ids.sort((a, b) => (a < b ? -1 : 1));
}

test('a verdict is told under its id', () => {
  const held = start({ id: 7, sequence: 100 });
  assert.equal(ledger.stats.inFlight, 1);
  assert.equal(ledger.settle(held, ACK), 7);
  assert.equal(ledger.stats.inFlight, 0);
  assert.equal(ledger.stats.acked, 1);
});

test('resuming names what is held and the last verdicts', () => {
  start({ id: 1, sequence: 1 });
  receive({ id: 2, sequence: 2 });
  ledger.settle(start({ id: 3, sequence: 3 }), ACK);
  assert.deepEqual(sorted(named()), [1, 2, 3]);
});

// A second NAK through another daemon would take the message from its new holder; so would a verdict on what the first
// daemon has given back.
test('only what may be settled elsewhere is named with its token', () => {
  start({ id: 1, sequence: 1 });
  receive({ id: 2, sequence: 2 });
  ledger.settle(start({ id: 3, sequence: 3 }), ACK);
  ledger.settle(start({ id: 4, sequence: 4 }), NAK);
  ledger.settle(start({ id: 5, sequence: 5 }), term('no'));
  assert.deepEqual(sorted(named()), [1, 2, 3, 4, 5]);
  assert.deepEqual(sorted(namedWithToken(true)), [1, 2, 3, 5]);
  assert.deepEqual(namedWithToken(false), [3]);
});

test('the token of a large message is remembered without its frame', () => {
  ledger.settle(start({ id: 1, sequence: 1, data: Buffer.alloc(100_000) }), ACK);
  const [{ token } = { token: undefined }] = ledger.nameHeld(true);
  assert.equal(token?.toString(), 'token of 1');
  assert.ok(token.buffer.byteLength < 50_000, 'nothing of the payload is kept');
});

test('what fits into a request is named: the held first, then the last verdicts', () => {
  ledger.settle(start({ id: 1, sequence: 1 }), ACK);
  ledger.settle(start({ id: 2, sequence: 2 }), ACK);
  receive({ id: 3, sequence: 3 });
  assert.deepEqual(named(), [3, 2, 1]);
  for (let id = 4; id <= 10; ++id) receive({ id, sequence: id, token: Buffer.alloc(2 << 20) });
  const bytes = ledger.nameHeld(true).reduce((sum, { token }) => sum + (token?.length ?? 0), 0);
  assert.ok(bytes <= 12 << 20);
  assert.ok(named().includes(3));
});

// The daemon's successor adopted it, but JetStream had sent it again already, before the ack was there.
test('what is resumed after its verdict is not run when it comes back', () => {
  ledger.settle(start({ id: 1, sequence: 9 }), ACK);
  assert.deepEqual(reopen([1, 51]), [{ id: 51, verdict: ACK }]);
  assert.equal(isWaiting(receive({ id: 60, sequence: 9, numDelivered: 2 })), false);
  assert.deepEqual(told, [{ id: 60, verdict: ACK }]);
});

test('only as many verdicts are remembered as asked', () => {
  for (let id = 1; id <= REMEMBERED + 3; ++id) ledger.settle(start({ id, sequence: id }), ACK);
  assert.deepEqual(sorted(named()), [4, 5, 6, 7, 8, 9, 10, 11]);
});

test('as many are in doubt as asked, the last ones', () => {
  for (let id = 1; id <= REMEMBERED + 3; ++id) {
    ledger.settle(start({ id, sequence: id }), ACK);
    reopen();
  }
  assert.equal(isWaiting(receive({ id: 60, sequence: 3, numDelivered: 2 })), true, 'forgotten');
  assert.equal(isWaiting(receive({ id: 61, sequence: 4, numDelivered: 2 })), false);
});

test('what is resumed goes on under its new id', () => {
  const held = start({ id: 1, sequence: 1 });
  assert.deepEqual(reopen([1, 50]), []);
  assert.equal(held.cancelled, false);
  assert.equal(ledger.settle(held, ACK), 50);
});

test('a verdict that got lost is told again, in order', () => {
  const first = start({ id: 1, sequence: 1 });
  const second = start({ id: 2, sequence: 2 });
  ledger.onStreamEnded();
  assert.equal(ledger.settle(second, term('no')), undefined);
  assert.equal(ledger.settle(first, ACK), undefined);
  assert.deepEqual(ledger.onOpened(new Map([[1, 51], [2, 52]])), [
    { id: 52, verdict: term('no') },
    { id: 51, verdict: ACK },
  ]); // prettier-ignore
  assert.deepEqual(sorted(named()), [51, 52], 'it may get lost once more');
});

test('what is not resumed is dropped or cancelled', () => {
  const running = start({ id: 1, sequence: 1 });
  const queued = receive({ id: 2, sequence: 2 });
  reopen();
  assert.equal(running.cancelled, true);
  assert.deepEqual(ledger.cancelled, [running]);
  assert.equal(isWaiting(queued), false, 'another app may have it by now');
  assert.equal(ledger.settle(running, ACK), undefined);
  assert.equal(ledger.stats.lost, 2);
  assert.equal(ledger.stats.inFlight, 0);
  assert.deepEqual(named(), [], 'the ids mean nothing to this stream');
});

test('a message that comes back to its running handler is not run twice', () => {
  const running = start({ id: 1, sequence: 9 });
  reopen();
  assert.equal(isWaiting(receive({ id: 60, sequence: 9, numDelivered: 2 })), false);
  assert.equal(running.cancelled, false);
  assert.equal(ledger.settle(running, ACK), 60);
  assert.equal(ledger.stats.rejoined, 1);
  assert.equal(ledger.stats.inFlight, 0);
});

// A token names one attempt: by the first one's, the daemon's successor would not find what this app holds now.
test('what has come back is named with the token of its new attempt', () => {
  const running = start({ id: 1, sequence: 9 });
  const settled = start({ id: 2, sequence: 10 });
  reopen();
  receive({ id: 60, sequence: 9, numDelivered: 2 });
  receive({ id: 61, sequence: 10, numDelivered: 2 });
  ledger.settle(settled, ACK);
  assert.deepEqual(sorted(named()), [60, 61]);
  assert.deepEqual(sorted(namedWithToken(true)), [60, 61]);
  ledger.settle(running, term('no'));
  assert.deepEqual(sorted(namedWithToken(true)), [60, 61]);
});

test('what has come back keeps nothing of the payload of its new attempt', () => {
  const running = start({ id: 1, sequence: 9 });
  reopen();
  receive({ id: 60, sequence: 9, numDelivered: 2, data: Buffer.alloc(100_000) });
  ledger.settle(running, ACK);
  const [{ token } = { token: undefined }] = ledger.nameHeld(true);
  assert.equal(token?.toString(), 'token of 60');
  assert.ok(token.buffer.byteLength < 50_000);
});

test('a message that comes back after its ack got lost is acked again', () => {
  ledger.settle(start({ id: 1, sequence: 9 }), ACK);
  reopen();
  assert.equal(isWaiting(receive({ id: 60, sequence: 9, numDelivered: 2 })), false);
  assert.deepEqual(told, [{ id: 60, verdict: ACK }]);
});

test('a verdict given to nobody counts when the message comes back', () => {
  const orphan = start({ id: 1, sequence: 9 });
  reopen();
  assert.equal(ledger.settle(orphan, term('no')), undefined);
  assert.equal(isWaiting(receive({ id: 60, sequence: 9, numDelivered: 2 })), false);
  assert.deepEqual(told, [{ id: 60, verdict: term('no') }]);
});

test('what was naked is run again', () => {
  ledger.settle(start({ id: 1, sequence: 9 }), NAK);
  reopen();
  assert.equal(isWaiting(receive({ id: 60, sequence: 9, numDelivered: 2 })), true);
  assert.deepEqual(told, []);
});

test('the same sequence in a stream made anew is another message', () => {
  ledger.settle(start({ id: 1, sequence: 9, stored: 1000 }), ACK);
  const running = start({ id: 2, sequence: 10, stored: 1000 });
  reopen();
  assert.equal(isWaiting(receive({ id: 60, sequence: 9, numDelivered: 2, stored: 2000 })), true);
  assert.equal(isWaiting(receive({ id: 61, sequence: 10, numDelivered: 2, stored: 2000 })), true);
  assert.equal(running.cancelled, true);
});

test('an ended lease cancels what runs and gives back what waits', () => {
  const running = start({ id: 1, sequence: 1 });
  const queued = receive({ id: 2, sequence: 2 });
  const other = start({ id: 3, sequence: 3 });
  assert.deepEqual(ledger.onLeasesEnded(new Set([1, 2])), [{ id: 2, verdict: NAK }]);
  assert.equal(running.cancelled, true);
  assert.equal(isWaiting(queued), false);
  assert.equal(other.cancelled, false);
  assert.equal(ledger.settle(running, ACK), 1, 'a late ack is forwarded');
});

test('a late verdict counts for the next attempt too', () => {
  const running = start({ id: 1, sequence: 1 });
  ledger.onLeasesEnded(new Set([1]));
  ledger.settle(running, ACK);
  assert.equal(isWaiting(receive({ id: 2, sequence: 1, numDelivered: 2 })), false);
  assert.deepEqual(told, [{ id: 2, verdict: ACK }]);
});

test('an attempt after an ended lease joins the running handler, and frees the old id', () => {
  const running = start({ id: 1, sequence: 1 });
  ledger.onLeasesEnded(new Set([1]));
  receive({ id: 2, sequence: 1, numDelivered: 2 });
  assert.deepEqual(told, [{ id: 1, verdict: NAK }]);
  assert.equal(ledger.settle(running, ACK), 2);
});

test('handing back takes what waits, ascending', () => {
  receive({ id: 3, sequence: 3 });
  const running = start({ id: 2, sequence: 2 });
  receive({ id: 1, sequence: 1 });
  assert.deepEqual(ledger.handBack(), [
    { id: 1, verdict: NAK },
    { id: 3, verdict: NAK },
  ]);
  assert.equal(ledger.settle(running, ACK), 2);
});

test('what a drain gave back is not run, and its verdict counts if it comes here again', () => {
  const running = start({ id: 1, sequence: 1 });
  const queued = receive({ id: 2, sequence: 2 });
  ledger.loseAll();
  assert.equal(running.cancelled, true);
  assert.equal(isWaiting(queued), false);
  ledger.onStreamEnded();
  assert.deepEqual(namedWithToken(false), []);
  ledger.onOpened(new Map());
  assert.equal(ledger.settle(running, ACK), undefined);
  receive({ id: 60, sequence: 1, numDelivered: 2 });
  assert.deepEqual(told, [{ id: 60, verdict: ACK }]);
});

test('a frame whose messages are all settled is forgotten', () => {
  const first = start({ id: 1, sequence: 1 });
  const second = start({ id: 2, sequence: 2 });
  const third = start({ id: 3, sequence: 3 });
  ledger.settle(first, NAK);
  ledger.settle(third, NAK);
  reopen([2, 2]);
  assert.deepEqual(named(), [2]);
  assert.equal(ledger.settle(second, ACK), 2);
});

// An ack that came after the ack wait: JetStream had sent the message again.
test('what comes again after its verdict on the same stream gets that verdict, and is not run', () => {
  ledger.settle(start({ id: 1, sequence: 9 }), ACK);
  assert.equal(isWaiting(receive({ id: 2, sequence: 9, numDelivered: 2 })), false);
  assert.deepEqual(told, [{ id: 2, verdict: ACK }]);
  assert.equal(ledger.stats.rejoined, 1);
});

test('what was naked is run again, whatever came of it before', () => {
  ledger.settle(start({ id: 1, sequence: 9 }), NAK);
  assert.equal(isWaiting(receive({ id: 2, sequence: 9, numDelivered: 2 })), true);
});

test('a message of another stream under the same sequence is run', () => {
  ledger.settle(start({ id: 1, sequence: 9 }), ACK);
  assert.equal(isWaiting(receive({ id: 2, sequence: 9, stored: 10, numDelivered: 2 })), true);
});
