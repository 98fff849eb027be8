package io.sluice.client;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import io.sluice.v1.PhaseDuration;
import io.sluice.v1.SettleResult;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** From the contract's messages to the public types, and back. */
final class Wire {
  private Wire() {}

  static long nanos(Timestamp time) {
    return time.getSeconds() * 1_000_000_000L + time.getNanos();
  }

  static Instant instant(Timestamp time) {
    return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
  }

  static java.time.Duration duration(Duration duration) {
    return java.time.Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
  }

  static Duration duration(java.time.Duration duration) {
    return Duration.newBuilder().setSeconds(duration.getSeconds()).setNanos(duration.getNano()).build();
  }

  static State state(io.sluice.v1.State.Kind kind) {
    return switch (kind) {
      case KIND_NATS_DOWN -> State.NATS_DOWN;
      case KIND_CONSUMER_MISSING -> State.CONSUMER_MISSING;
      case KIND_CONSUMER_INVALID -> State.CONSUMER_INVALID;
      case KIND_PAUSED -> State.PAUSED;
      case KIND_PINNED_ELSEWHERE -> State.PINNED_ELSEWHERE;
      case KIND_PROBING -> State.PROBING;
      default -> State.SERVING;
    };
  }

  static Outcome outcome(SettleResult.Outcome outcome) {
    return switch (outcome) {
      case OUTCOME_CONFIRMED -> Outcome.CONFIRMED;
      case OUTCOME_LATE -> Outcome.LATE;
      case OUTCOME_NOT_HELD -> Outcome.NOT_HELD;
      default -> Outcome.FAILED;
    };
  }

  static DrainReport report(io.sluice.v1.DrainReport from) {
    Map<String, java.time.Duration> phases = new LinkedHashMap<>();
    for (PhaseDuration phase : from.getPhasesList()) {
      phases.merge(phase.getPhase(), duration(phase.getDuration()), java.time.Duration::plus);
    }
    return new DrainReport(
        true,
        from.getDeadlineExceeded(),
        from.getAwaited(),
        from.getAcked(),
        from.getTerminated(),
        from.getNaked(),
        from.getExpired(),
        from.getLate(),
        from.getReleased(),
        from.getUnsettled(),
        from.getDeadLettered(),
        Collections.unmodifiableMap(phases));
  }
}
