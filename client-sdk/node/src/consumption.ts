import type { SluiceError } from './errors';
import type { DrainReport, State, Stats } from './options';
import type { Session } from './internal/session';

/**
 * The consuming of one consumer, until it is drained or stopped. Reconnects for ever, unless the daemon says that there is
 * no point (`NOT_FOUND`, `INVALID_ARGUMENT`, `UNIMPLEMENTED`, `PERMISSION_DENIED`). Keeps the process alive until then.
 */
export class Consumption {
  /** @internal */
  constructor(/** @internal */ readonly session: Session) {}

  /**
   * Ends it gracefully: no more messages come, handlers finish, their verdicts are confirmed. The daemon NAKs what is still
   * held after `timeout` ms; absent: its `drain.timeout`. Not to be awaited by a handler, which it waits for; there is
   * `startDrain()` for that.
   */
  async drain(timeout?: number): Promise<DrainReport> {
    this.startDrain(timeout);
    await this.closed;
    return this.session.report;
  }

  /** The same without waiting. */
  startDrain(timeout?: number): void {
    this.session.startDrain(timeout);
  }

  /**
   * Ends it at once: what has no verdict yet goes back to JetStream, later verdicts are dropped. Waits until the daemon
   * knows, 5 s at most.
   */
  async stop(): Promise<void> {
    this.session.startStop();
    await this.closed;
  }

  /** Resolves when it has ended: to undefined after `drain()` and `stop()`, else to why. Never rejects. */
  get closed(): Promise<SluiceError | undefined> {
    return this.session.closed;
  }

  get isClosed(): boolean {
    return this.session.isClosed;
  }

  get state(): State {
    return this.session.state;
  }

  /** Of the drain this app asked for; not `completed` before it is over. */
  get drainReport(): DrainReport {
    return this.session.report;
  }

  /** Counts since it began. */
  stats(): Stats {
    return this.session.stats;
  }

  get consumer(): string {
    return this.session.consumer;
  }

  /** What the daemon knows it by. */
  get clientId(): string {
    return this.session.clientId;
  }
}
