package sluice

import (
	"context"
	"testing"
)

func outcomeNow(h *held) Outcome {
	if isResolved(h.confirming) {
		return h.confirming.outcome
	}
	return 0
}

func TestAnOutcomeIsThatOfTheVerdictAndNotOfAnInProgressBefore(t *testing.T) {
	l := newTestLedger(t)
	h := l.started(delivered{id: 1, sequence: 1})
	l.awaitProgress(h)
	l.awaitProgress(h)
	l.result(1, Confirmed)
	l.settle(h, ack())
	l.result(1, Confirmed)
	if got := outcomeNow(h); got != 0 {
		t.Fatalf("after the in_progresses it is %v", got)
	}
	l.result(1, Late)
	if got := outcomeNow(h); got != Late {
		t.Errorf("it is %v", got)
	}
	l.result(1, Confirmed) // once is enough
	if len(l.awaiting) != 0 {
		t.Errorf("%d are awaited", len(l.awaiting))
	}
}

func TestAnOutcomeIsAwaitedOverAReconnect(t *testing.T) {
	l := newTestLedger(t)
	resumed, lost := l.started(delivered{id: 1, sequence: 1}), l.started(delivered{id: 2, sequence: 2})
	running := l.started(delivered{id: 3, sequence: 3})
	l.awaitProgress(running)
	l.settle(resumed, ack())
	l.settle(lost, ack())
	l.reopen(map[uint64]uint64{1: 51, 3: 53})
	if got := outcomeNow(lost); got != Failed {
		t.Errorf("what cannot be confirmed any more is %v", got)
	}
	l.result(51, Confirmed)
	if got := outcomeNow(resumed); got != Confirmed {
		t.Errorf("what was told again is %v", got)
	}
	l.settle(running, ack())
	l.result(53, Confirmed)
	if got := outcomeNow(running); got != Confirmed {
		t.Errorf("the result of an in_progress to the lost stream is still awaited: %v", got)
	}
}

func TestAVerdictThatNobodyHoldsIsNotHeld(t *testing.T) {
	l := newTestLedger(t)
	h := l.started(delivered{id: 1, sequence: 1})
	l.reopen(nil)
	l.settle(h, ack())
	if got := outcomeNow(h); got != NotHeld {
		t.Errorf("it is %v", got)
	}
}

func TestWaitingForAnOutcomeEndsWithItsContext(t *testing.T) {
	l := newTestLedger(t)
	h := l.started(delivered{id: 1, sequence: 1})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.confirming.wait(ctx); err != context.Canceled {
		t.Errorf("it ended with %v", err)
	}
	l.settle(h, ack())
	l.result(1, Confirmed)
	if outcome, err := h.confirming.wait(ctx); outcome != Confirmed || err != nil {
		t.Errorf("it ended with %v, %v", outcome, err)
	}
	var none *confirming
	if _, err := none.wait(ctx); err != errNotConfirming {
		t.Errorf("without confirmations it ended with %v", err)
	}
}
