import type { SluiceError } from '../errors';
import type { Draining, DrainReport, Logger, State, StreamOptions } from '../options';

/** What an app is told of a consumption: through its hooks, and its logger. A hook that throws is logged, and no more. */
export class Hooks {
  state: State = 'CONNECTING';

  constructor(
    private readonly consumer: string,
    private readonly hooks: StreamOptions,
    private readonly logger: Logger,
  ) {}

  tellState(state: State, detail: string): void {
    this.state = state;
    this.logger.debug(`${this.consumer}: ${state}${detail === '' ? '' : `: ${detail}`}`);
    this.call(this.hooks.onState, state, detail);
  }

  tellError(error: SluiceError): void {
    this.logger.warn(`sluice: ${this.consumer}: ${error.message}`);
    this.call(this.hooks.onError, error);
  }

  tellDraining(draining: Draining): void {
    this.call(this.hooks.onDraining, draining);
  }

  tellDrained(report: DrainReport): void {
    this.call(this.hooks.onDrained, report);
  }

  private call<Args extends unknown[]>(hook: ((...args: Args) => void) | undefined, ...args: Args): void {
    try {
      hook?.(...args);
    } catch (error) {
      this.logger.error(`sluice: ${this.consumer}: a hook threw: ${String(error)}`);
    }
  }
}
