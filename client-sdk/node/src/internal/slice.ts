/** How long handlers may run in a row before the event loop has its turn, in ms. */
const LONGEST = 5;

/**
 * Handlers that never wait would keep the event loop to themselves for as long as messages do: no timer, no socket, not even
 * their own verdicts would be served. So they run in slices, one in a turn of the loop.
 */
export class Slice {
  private end = 0; // ms of performance.now(); 0: nothing has run in this turn

  /** `onNext` is called at the beginning of the next one. */
  constructor(private readonly onNext: () => void) {}

  get isOver(): boolean {
    return this.end !== 0 && performance.now() >= this.end;
  }

  /** A handler has run. */
  count(): void {
    if (this.end !== 0) return;
    this.end = performance.now() + LONGEST;
    setImmediate(() => {
      this.end = 0;
      this.onNext();
    });
  }
}
