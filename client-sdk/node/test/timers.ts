/** `setTimeout()` in the hands of a test. Not node:test's own: Node 18's and Node 20's are told by different words what to mock. */
import type { TestContext } from 'node:test';

interface Timer {
  at: number;
  callback: () => void;
}

export class PlayedTimers {
  private readonly real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  private readonly waiting = new Map<object, Timer>();
  private now = 0;

  /** Undone with the test, if not before. */
  constructor(t: TestContext) {
    t.after(() => {
      this.reset();
    });
  }

  /** From now on what is set waits for tick(). */
  enable(): void {
    const set = (callback: () => void, ms = 0): object => {
      const handle = { ref: () => handle, unref: () => handle };
      this.waiting.set(handle, { at: this.now + ms, callback });
      return handle;
    };
    const clear = (handle: object | undefined): void => {
      if (handle !== undefined && !this.waiting.delete(handle)) this.real.clearTimeout(handle as NodeJS.Timeout);
    };
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  }

  /** So many ms go by: what is due is called. */
  tick(ms: number): void {
    this.now += ms;
    for (const [handle, timer] of [...this.waiting]) {
      if (timer.at > this.now || !this.waiting.delete(handle)) continue;
      timer.callback();
    }
  }

  /** From now on what is set is real again; what waits is forgotten. */
  reset(): void {
    Object.assign(globalThis, this.real);
    this.waiting.clear();
  }
}
