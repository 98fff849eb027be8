import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame } from './frame';
import { fromId } from './id';
import { v1 } from './wire';

function frameOf(...deliveries: v1.IDelivery[]): Frame {
  const bytes = Buffer.from(v1.ConsumeResponse.encode({ deliveries: { deliveries } }).finish());
  assert.ok(Frame.is(bytes));
  return new Frame(bytes);
}

const odd = Buffer.from([0, 0xff, 0xc3, 0x28, 0x20]);

test('reads every field as the generated code wrote it', () => {
  const [delivery] = frameOf({
    id: fromId(2n ** 60n + 1n),
    subject: odd,
    headers: [
      { name: Buffer.from('A'), value: Buffer.from('1') },
      { name: Buffer.from('b'), value: odd },
      { name: Buffer.from('A'), value: Buffer.alloc(0) },
    ],
    data: Buffer.alloc(300_000, 'x'),
    streamSequence: 2 ** 40,
    consumerSequence: 11,
    numDelivered: 12,
    numPending: 2 ** 53 - 1,
    timestamp: { seconds: 1_700_000_000, nanos: 999_999_999 },
    key: Buffer.from('k'),
    token: Buffer.from('t'),
  }).deliveries;
  assert.ok(delivery);
  assert.equal(delivery.id, 2n ** 60n + 1n);
  assert.deepEqual(delivery.subject, odd);
  assert.deepEqual(
    delivery.headers().map((header) => header.map((bytes) => bytes.toString('hex'))),
    [
      ['41', '31'],
      ['62', odd.toString('hex')],
      ['41', ''],
    ],
  );
  assert.deepEqual(delivery.data, Buffer.alloc(300_000, 'x'));
  assert.equal(delivery.sequence, 2 ** 40);
  assert.equal(delivery.consumerSequence, 11);
  assert.equal(delivery.numDelivered, 12);
  assert.equal(delivery.numPending, 2 ** 53 - 1);
  assert.equal(delivery.seconds, 1_700_000_000);
  assert.equal(delivery.nanos, 999_999_999);
  assert.equal(delivery.key.toString(), 'k');
  assert.equal(delivery.frame.bytes.toString('utf8', delivery.tokenAt, delivery.tokenEnd), 't');
});

test('what is absent is empty', () => {
  const [delivery] = frameOf({ id: 1 }).deliveries;
  assert.ok(delivery);
  assert.deepEqual([delivery.subject.length, delivery.data.length, delivery.key.length], [0, 0, 0]);
  assert.deepEqual(delivery.headers(), []);
  assert.equal(delivery.hasKey, false);
  assert.equal(frameOf().deliveries.length, 0);
});

test('fields of a later contract are passed over', () => {
  const one = Buffer.concat([
    v1.Delivery.encode({ id: 7, data: Buffer.from('a') }).finish(),
    Buffer.from([0xa0, 0x06, 0x05]), // 100: varint
    Buffer.from([0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]), // 100: fixed64
    Buffer.from([0xa2, 0x06, 0x02, 9, 9]), // 100: bytes
    Buffer.from([0xa5, 0x06, 1, 2, 3, 4]), // 100: fixed32
    v1.Delivery.encode({ key: Buffer.from('k') }).finish(),
  ]);
  const deliveries = Buffer.concat([Buffer.from([0x0a, one.length]), one, Buffer.from([0x50, 0x01])]);
  const [delivery] = new Frame(Buffer.concat([Buffer.from([0x12, deliveries.length]), deliveries])).deliveries;
  assert.equal(delivery?.id, 7);
  assert.equal(delivery.key.toString(), 'k');
  assert.equal(delivery.data.toString(), 'a');
});

test('what is cut off is refused, not read as something else', () => {
  const bytes = Buffer.from(
    v1.ConsumeResponse.encode({ deliveries: { deliveries: [{ id: 1, data: Buffer.alloc(50) }] } }).finish(),
  );
  for (let end = 3; end < bytes.length; ++end) {
    assert.throws(() => new Frame(bytes.subarray(0, end)), RangeError, `cut at ${end}`);
  }
});

test('other responses are left to the generated code', () => {
  assert.equal(Frame.is(Buffer.from(v1.ConsumeResponse.encode({ opened: {} }).finish())), false);
  assert.equal(Frame.is(Buffer.alloc(0)), false);
});
