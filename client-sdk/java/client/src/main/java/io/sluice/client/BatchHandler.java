package io.sluice.client;

import java.util.List;

/** A {@link Handler} of many messages at a time, for work that is cheaper together. */
@FunctionalInterface
public interface BatchHandler {
  /**
   * Works on some messages: what has come by now, at most one frame of the daemon's. What it settles itself
   * ({@link Message#nak()} and the like) stays so; returning acks the others, throwing naks them, by the rules of
   * {@link Handler}.
   *
   * @param messages in the order of delivery; at least one, at most {@link ConsumeOptions#maxBatch(int)}
   * @throws Exception to nak those without a verdict
   */
  void handle(List<Message> messages) throws Exception;
}
