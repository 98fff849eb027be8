/** How long handlers may run in a row before the event loop has its turn, in ms. */
const LONGEST = 5;

/**
 * Handlers that never wait would keep the event loop to themselves for as long as messages do: no timer, no socket, not even
 * their own verdicts would be served. So they run in slices, one in a turn of the loop.
 */
export class Slice {
  private end = 0; // ms of performance.now(); 0: none has begun in this turn

  /** `onNext` is called at the beginning of the next one. */
  constructor(private readonly onNext: () => void) {}

  get isOver(): boolean {
    const now = performance.now();
    if (this.end !== 0) return now >= this.end;
    this.end = now + LONGEST;
    setImmediate(() => {
      this.end = 0;
      this.onNext();
    });
    return false;
  }
}
