import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromId, MOST_ID_BYTES, toId, writeId, type Id } from './id';
import { Reader } from './reader';
import { v1 } from './wire';

const edges: Id[] = [
  0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35 + 77, 2 ** 53 - 1,
  2n ** 53n, 2n ** 53n + 1n, 2n ** 63n + 5n, 2n ** 64n - 1n,
]; // prettier-ignore

test('an id is exact, whatever its size, and has one form', () => {
  for (const id of edges) {
    const bytes = Buffer.alloc(MOST_ID_BYTES);
    const end = writeId(bytes, 0, id);
    const reader = new Reader(bytes, 0);
    assert.equal(reader.id(), id);
    assert.equal(reader.position, end);
  }
});

test('the generated code reads and writes the same ids', () => {
  for (const id of edges) {
    const encoded = v1.Resumed.encode({ id: fromId(id) }).finish();
    assert.equal(toId(v1.Resumed.decode(encoded).id), id);
    const ids = Buffer.alloc(MOST_ID_BYTES);
    const end = writeId(ids, 0, id);
    if (id !== 0) assert.deepEqual(Buffer.from(encoded).subarray(1), ids.subarray(0, end));
  }
});
