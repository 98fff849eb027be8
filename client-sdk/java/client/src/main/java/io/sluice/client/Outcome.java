package io.sluice.client;

/** What became of a verdict, where {@link ConsumeOptions#confirm(boolean)} asks for it. */
public enum Outcome {
  /** The server has confirmed it. */
  CONFIRMED,
  /** It came after the lease had ended: an ack was forwarded all the same, a nak or term was not. */
  LATE,
  /** The daemon does not hold the message for this app any more; JetStream delivers it again unless it was settled. */
  NOT_HELD,
  /** It could not be confirmed; the message may be delivered again. */
  FAILED
}
