import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreditWindow } from './credit-window';

test('what the app chose stays', () => {
  const window = new CreditWindow(100, 1);
  assert.equal(window.update(0, 0), false);
  assert.equal(window.update(1_000, 1_000_000), false);
  assert.equal(window.messages, 100);
  assert.equal(window.most, 100);
});

test('begins with four for each handler, and eight at least', () => {
  assert.equal(new CreditWindow(0, 1).messages, 8);
  assert.equal(new CreditWindow(0, 100).messages, 400);
  assert.equal(new CreditWindow(0, 2_000).most, 8_000);
});

test('is what the handlers finish in a quarter of a second', () => {
  const window = new CreditWindow(0, 1);
  window.update(0, 0);
  assert.equal(window.update(49, 1_000), false, 'measured every 50 ms');
  assert.equal(window.update(100, 400), true);
  assert.equal(window.messages, 1_000);
});

test('changes when it is off by a factor of two', () => {
  const window = new CreditWindow(0, 1);
  window.update(0, 0);
  window.update(100, 400);
  assert.equal(window.update(200, 1_000), false, '1,500 is near enough');
  assert.equal(window.update(300, 1_900), true);
  assert.equal(window.messages, 2_250);
  assert.equal(window.update(400, 1_950), true);
  assert.equal(window.messages, 125);
});

test('has its bounds', () => {
  const window = new CreditWindow(0, 1);
  window.update(0, 0);
  window.update(100, 1_000_000);
  assert.equal(window.messages, 4_096);
  window.update(200, 1_000_000);
  assert.equal(window.messages, 8);
});

test('a rest says nothing', () => {
  const window = new CreditWindow(0, 1);
  window.update(0, 0);
  window.update(100, 400);
  assert.equal(window.update(10_000, 401), false);
  assert.equal(window.messages, 1_000);
});
