import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cut, nak, Reject, RetryAfter, term, verdictIn } from './verdict';

const HOUR = 60 * 60 * 1000;

test('a delay is brought into 0..24 h', () => {
  assert.deepEqual(nak(-5), nak(0));
  assert.deepEqual(nak(NaN), nak(0));
  assert.deepEqual(nak(1500.4), { kind: 'nak', delay: 1500 });
  assert.deepEqual(nak(48 * HOUR), nak(24 * HOUR));
  assert.deepEqual(nak(Infinity), nak(24 * HOUR));
});

test('a reason is one line of at most 1,024 bytes of UTF-8', () => {
  assert.deepEqual(term('a\r\nb'), { kind: 'term', reason: 'a  b' });
  assert.deepEqual(term('é'.repeat(600)), { kind: 'term', reason: 'é'.repeat(512) });
  assert.deepEqual(term('x' + 'é'.repeat(600)), { kind: 'term', reason: 'x' + 'é'.repeat(511) });
  assert.deepEqual(term('a\ud800b'), { kind: 'term', reason: 'a\ufffdb' });
});

test('a text is cut between characters', () => {
  assert.equal(cut('💧💧', 7), '💧');
  assert.equal(cut('abc', 3), 'abc');
  assert.equal(cut('abc', 0), '');
});

test('verdicts are errors, to be thrown or returned', () => {
  assert.deepEqual(verdictIn(new RetryAfter(20)), nak(20));
  assert.deepEqual(verdictIn(new Reject('no')), term('no'));
  assert.ok(new RetryAfter(1) instanceof Error);
  assert.equal(verdictIn(new Error('no')), undefined);
  for (const value of [undefined, null, 1, 'ack', {}]) assert.equal(verdictIn(value), undefined);
});

test('a verdict of another copy of this package is one too', () => {
  const file = require.resolve('./verdict');
  const mine = require.cache[file];
  Reflect.deleteProperty(require.cache, file);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- the other copy
  const other = require('./verdict') as typeof import('./verdict');
  if (mine !== undefined) require.cache[file] = mine;
  assert.notEqual(other.Reject, Reject);
  assert.deepEqual(verdictIn(new other.Reject('no')), term('no'));
});
