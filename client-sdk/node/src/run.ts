import type { Consumption } from './consumption';
import type { DrainReport } from './options';

/** Of `run()`. */
export interface RunOptions {
  /** Of the drain, in ms. Default: the daemon's `drain.timeout`. */
  timeout?: number;
}

/**
 * For the end of a program: waits for SIGTERM or SIGINT, drains, and returns the report. Returns also when the consumption
 * ends by itself. A second SIGINT kills the process.
 */
export async function run(consumption: Consumption, options?: RunOptions): Promise<DrainReport>;
/** The same for several: drains all of them, and returns when the last has ended. */
export async function run(consumptions: readonly Consumption[], options?: RunOptions): Promise<DrainReport[]>;
export async function run(
  which: Consumption | readonly Consumption[],
  { timeout }: RunOptions = {},
): Promise<DrainReport | DrainReport[]> {
  const all = which instanceof Array ? which : [which];
  const drain = (): void => {
    process.off('SIGINT', drain); // the next one is the system's own again
    for (const consumption of all) consumption.startDrain(timeout);
  };
  process.on('SIGTERM', drain); // stays: a second one changes nothing
  process.on('SIGINT', drain);
  try {
    await Promise.all(all.map((consumption) => consumption.closed));
  } finally {
    process.off('SIGTERM', drain);
    process.off('SIGINT', drain);
  }
  const reports = all.map((consumption) => consumption.drainReport);
  return which instanceof Array ? reports : (reports[0] as DrainReport);
}
