package io.sluice.client;

import java.time.Duration;
import java.util.Map;

/**
 * What became of the messages that were outstanding when a drain began.
 *
 * @param completed the daemon has confirmed the drain; false: it was lost, or silent, and the counts are 0
 * @param deadlineExceeded messages were still held at the deadline, and were NAKed
 * @param awaited were with the app when the drain began
 * @param acked of those: acked
 * @param terminated of those: terminated
 * @param naked of those: NAKed, by the app, or by the daemon when the app left or the deadline came
 * @param expired of those: their lease had ended, JetStream delivers them again by itself
 * @param late verdicts that came after the lease had ended
 * @param released no app had seen them: NAKed at once
 * @param unsettled could not be settled: they wait for the ack wait, or were on their last delivery
 * @param deadLettered of those awaited: set aside as dead letters
 * @param phases how long each phase took, in their order
 */
public record DrainReport(
    boolean completed,
    boolean deadlineExceeded,
    long awaited,
    long acked,
    long terminated,
    long naked,
    long expired,
    long late,
    long released,
    long unsettled,
    long deadLettered,
    Map<String, Duration> phases) {

  static final DrainReport NONE = new DrainReport(false, false, 0, 0, 0, 0, 0, 0, 0, 0, 0, Map.of());
}
