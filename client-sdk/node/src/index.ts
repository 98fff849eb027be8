/** The Sluice client. Start at `Client`. */
export { Client } from './client';
export { Consumption } from './consumption';
export { SluiceError, type Code } from './errors';
export { Fetcher, type FetchOptions } from './fetcher';
export type { BatchHandler, Handler, Result } from './handler';
export { Message } from './message';
export { Messages } from './messages';
export type {
  BatchOptions,
  ClientOptions,
  ConsumeOptions,
  CreditOptions,
  Draining,
  DrainReport,
  FetcherOptions,
  Logger,
  MessagesOptions,
  State,
  Stats,
  StreamOptions,
} from './options';
export { run, type RunOptions } from './run';
export { Reject, RetryAfter, type Outcome } from './verdict';
