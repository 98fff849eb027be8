package io.sluice.client;

/** What stands between the app and its messages. */
public enum State {
  /** No stream to the daemon; retried for ever. */
  CONNECTING,
  /** All is well. */
  SERVING,
  /** The daemon is not connected to NATS: work on, verdicts are kept. */
  NATS_DOWN,
  /** The stream or consumer does not exist; the daemon retries. */
  CONSUMER_MISSING,
  /** It exists, but not as configured. */
  CONSUMER_INVALID,
  /** Paused on the server. */
  PAUSED,
  /** Another pod of the fleet is active, this one stands by. */
  PINNED_ELSEWHERE,
  /** The apps failed too often in a row: one message at a time until one is acked. */
  PROBING,
  /** Ended; the detail says why. */
  CLOSED
}
