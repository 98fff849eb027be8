import type { Message } from './message';
import type { Reject, RetryAfter } from './verdict';

/** What a handler settles its message by: nothing acks; an Error that is no verdict naks, and counts as thrown. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- a handler that returns nothing acks
export type Result = void | RetryAfter | Reject | Error;

/** Called with each message. What it throws, or its promise rejects with, settles like what it returns. */
export type Handler = (message: Message) => Result | Promise<Result>;

/**
 * Called with what waits, the earliest first. Its result is for all of them that have no verdict of their own by then
 * (`message.nak()`).
 */
export type BatchHandler = (messages: Message[]) => Result | Promise<Result>;
