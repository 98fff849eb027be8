package io.sluice.client;

import io.grpc.Status;
import io.sluice.v1.SettleResult;
import io.sluice.v1.SettleResults;

/** What the daemon says of verdicts: counted, told to who waits for it, and to the app if they were in vain. */
final class Results {
  private final Ledger ledger;
  private final Hooks hooks;
  private final boolean confirm;

  Results(Ledger ledger, Hooks hooks, boolean confirm) {
    this.ledger = ledger;
    this.hooks = hooks;
    this.confirm = confirm;
  }

  void take(SettleResults results) {
    for (SettleResult result : results.getResultsList()) take(result, Wire.outcome(result.getOutcome()));
  }

  private void take(SettleResult result, Outcome outcome) {
    int count = result.getIdsCount();
    if (confirm) {
      for (int i = 0; i < count; i++) ledger.onResult(result.getIds(i), outcome);
    }
    Ledger.Counts counts = ledger.counts();
    switch (outcome) {
      case CONFIRMED -> {}
      case LATE -> {
        counts.late += count;
        tell(result, Status.Code.DEADLINE_EXCEEDED, "came after their lease had ended");
      }
      case NOT_HELD -> {
        counts.notHeld += count;
        tell(result, Status.Code.NOT_FOUND, "were for messages that the daemon does not hold");
      }
      case FAILED -> {
        counts.failed += count;
        tell(result, Status.Code.UNAVAILABLE, "could not be confirmed");
      }
    }
  }

  private void tell(SettleResult result, Status.Code code, String what) {
    String detail = result.getDetail().isEmpty() ? "" : ": " + result.getDetail();
    hooks.tellError(new SluiceException(code, result.getIdsCount() + " verdicts " + what + detail));
  }
}
