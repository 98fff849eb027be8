package io.sluice.client;

/** What an app does with a message: returning acks it, throwing naks it. */
@FunctionalInterface
public interface Handler {
  /**
   * Works on one message. Up to {@link ConsumeOptions#concurrency(int)} run at once.
   *
   * @param message the message; with {@link ConsumeOptions#manual(boolean)} the handler also settles it
   * @throws RetryAfterException to nak it with a delay
   * @throws RejectException to terminate it: never again
   * @throws Exception anything else naks it, and is told to the error hook and the log
   */
  void handle(Message message) throws Exception;
}
