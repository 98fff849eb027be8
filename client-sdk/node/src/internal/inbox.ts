import type { Delivery } from './delivery';
import type { Frame } from './frame';

/** What waits for a handler, in the order of arrival; bounded by the credit. */
export class Inbox {
  /** Something may be taken now, or it was closed. */
  onReady: () => void = () => undefined;
  private frames: Frame[] = [];
  private first = 0;
  /** Between streams nothing new is started: the daemon may have handed it to another app. */
  halted = true;
  closed = false;

  push(frame: Frame): void {
    if (this.closed) return;
    this.frames.push(frame);
    if (!this.halted) this.onReady();
  }

  /** The next that waits; it stays queued until it is started. */
  take(): Delivery | undefined {
    if (this.halted) return undefined;
    while (this.first < this.frames.length) {
      const delivery = (this.frames[this.first] as Frame).take();
      if (delivery !== undefined) return delivery;
      this.dropFirst();
    }
    return undefined;
  }

  pause(): void {
    this.halted = true;
  }

  resume(): void {
    if (this.closed) return;
    this.halted = false;
    this.onReady();
  }

  /** For good. */
  close(): void {
    this.closed = true;
    this.halted = true;
    this.frames = [];
    this.first = 0;
    this.onReady();
  }

  // Emptied when all are taken, so neither a shift for each frame nor a list that only grows.
  private dropFirst(): void {
    if (++this.first === this.frames.length || this.first === 64) {
      this.frames.splice(0, this.first);
      this.first = 0;
    }
  }
}
