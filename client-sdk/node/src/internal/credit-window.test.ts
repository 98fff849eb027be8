import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreditWindow } from './credit-window';

test('what the app chose stays', () => {
  const window = new CreditWindow(100, 1);
  assert.equal(window.update(0, 0, 0), false);
  assert.equal(window.update(1_000, 1_000_000, 0), false);
  assert.equal(window.messages, 100);
  assert.equal(window.most, 100);
});

test('begins with four for each handler, and eight at least', () => {
  assert.equal(new CreditWindow(0, 1).messages, 8);
  assert.equal(new CreditWindow(0, 100).messages, 400);
  assert.equal(new CreditWindow(0, 2_000).most, 8_000);
});

type Step = readonly [verdicts: number, held: number];

function times(count: number, step: Step): Step[] {
  return Array.from({ length: count }, () => step);
}

/** What it is after steps of 100 ms, each of so many verdicts, and with so many held when messages come. */
function credits(window: CreditWindow, steps: readonly Step[]): number[] {
  let [now, settled] = [0, 0];
  window.update(now, settled, 0);
  return steps.map(([verdicts, held]) => {
    window.update((now += 100), (settled += verdicts), held);
    return window.messages;
  });
}

test('grows while handlers have nothing to do, fourfold at once, up to a quarter of a second', () => {
  const window = new CreditWindow(0, 1);
  assert.deepEqual(credits(window, times(5, [600, 0])), [32, 128, 512, 1_500, 1_500]);
});

test('is measured every 50 ms', () => {
  const window = new CreditWindow(0, 1);
  window.update(0, 0, 0);
  assert.equal(window.update(49, 1_000, 0), false);
  assert.equal(window.update(50, 1_000, 0), true);
});

test('changes when it is off by a factor of two', () => {
  const steps: Step[] = [
    [40, 0],
    [40, 0],
    [70, 0],
    [10, 0],
  ];
  assert.deepEqual(credits(new CreditWindow(0, 1), steps), [32, 100, 100, 25]);
});

test('has its bounds', () => {
  const steps: Step[] = [...times(6, [1_000_000, 0]), [0, 0]];
  assert.deepEqual(credits(new CreditWindow(0, 1), steps).slice(-2), [4_096, 8]);
});

test('a rest says nothing', () => {
  const window = new CreditWindow(0, 1);
  credits(window, times(4, [400, 0]));
  assert.equal(window.update(10_000, 1_601, 0), false);
});

test('gives up what no handler waits for', () => {
  const steps: Step[] = [
    [4_000, 4], // the first messages do not make it grow
    ...times(4, [4_000, 0]),
    [4_000, 1_801], // 1,800 are more by 800 than 25 ms take, and that was half of it
    [4_000, 1_001],
    [4_000, 20], // it was just in time
    [40, 2], // never more than is finished in a quarter of a second
  ];
  const expected = [8, 32, 128, 512, 2_048, 448, 448, 448, 100];
  assert.deepEqual(credits(new CreditWindow(0, 1), steps), expected);
});

test('one time without anything to do is enough to grow', () => {
  const window = new CreditWindow(0, 2);
  window.update(0, 0, 0);
  window.update(100, 400, 3);
  assert.equal(window.update(120, 400, 1), false, 'too early, but one of two had nothing');
  assert.equal(window.update(200, 800, 3), true);
  assert.equal(window.messages, 32);
});
