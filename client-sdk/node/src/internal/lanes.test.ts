import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Place, type Delivery } from './delivery';
import { Frame } from './frame';
import { Lanes } from './lanes';
import { v1 } from './wire';

function deliveries(count: number): Delivery[] {
  const bytes = v1.ConsumeResponse.encode({ deliveries: { deliveries: Array.from({ length: count }, (_, i) => ({ id: i + 1 })) } });
  return new Frame(Buffer.from(bytes.finish())).deliveries;
}

test('of each key one runs, the others wait in their order', () => {
  const lanes = new Lanes();
  const [a1, b1, a2, a3] = deliveries(4) as [Delivery, Delivery, Delivery, Delivery];
  assert.equal(lanes.enter('a', a1), true);
  assert.equal(lanes.enter('b', b1), true);
  assert.equal(lanes.enter('a', a2), false);
  assert.equal(lanes.enter('a', a3), false);
  assert.equal(lanes.leave('a'), a2);
  assert.equal(lanes.leave('a'), a3);
  assert.equal(lanes.leave('a'), undefined);
  assert.equal(lanes.enter('a', a1), true);
});

test('what was given back while it waited is passed over', () => {
  const lanes = new Lanes();
  const [first, gone, last] = deliveries(3) as [Delivery, Delivery, Delivery];
  for (const delivery of [first, gone, last]) lanes.enter('a', delivery);
  gone.place = Place.Gone;
  assert.equal(lanes.leave('a'), last);
});
