import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff';

test('none before the first, then doubling up to the longest', () => {
  const backoff = new Backoff(100, 500, () => 0);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => backoff.next()), [0, 100, 200, 400, 500]);
  backoff.reset();
  assert.deepEqual([backoff.next(), backoff.next()], [0, 100]);
});

test('is shortened by up to a quarter', () => {
  const backoff = new Backoff(100, 100, () => 1);
  backoff.next();
  assert.equal(backoff.next(), 75);
});
