package io.sluice.client;

import java.util.concurrent.CompletionStage;

/** A {@link Handler} that does not wait: the message is settled when the stage it returns completes. */
@FunctionalInterface
public interface AsyncHandler {
  /**
   * Starts to work on one message. Up to {@link ConsumeOptions#concurrency(int)} stages are unfinished at once.
   *
   * @param message the message
   * @return completing normally acks, completing with an exception naks or terminates, by the rules of {@link Handler}
   * @throws Exception as if the stage had failed with it
   */
  CompletionStage<?> handle(Message message) throws Exception;
}
