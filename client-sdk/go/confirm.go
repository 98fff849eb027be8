package sluice

import (
	"context"
	"errors"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// Outcome is what became of a verdict, with [WithConfirm].
type Outcome uint8

const (
	// Confirmed: the NATS server has confirmed it.
	Confirmed Outcome = iota + 1
	// Late: it came after the lease had ended. An ack was forwarded all the same, as it prevents a duplicate; a nak or
	// term was not, as it would take the message from its new holder.
	Late
	// NotHeld: the daemon holds no such message for this app: it was given back, or its daemon was lost.
	NotHeld
	// Failed: it could not be confirmed. The message may be delivered again; it is not run again if this app acked it.
	Failed
)

func (o Outcome) String() string {
	switch o {
	case Confirmed:
		return "CONFIRMED"
	case Late:
		return "LATE"
	case NotHeld:
		return "NOT_HELD"
	case Failed:
		return "FAILED"
	}
	return "UNSPECIFIED"
}

func outcomeOf(o sluicepb.SettleResult_Outcome) Outcome {
	switch o {
	case sluicepb.SettleResult_OUTCOME_CONFIRMED:
		return Confirmed
	case sluicepb.SettleResult_OUTCOME_LATE:
		return Late
	case sluicepb.SettleResult_OUTCOME_NOT_HELD:
		return NotHeld
	default:
		return Failed
	}
}

var errNotConfirming = errors.New("sluice: outcomes are told only with the option WithConfirm(true): add it where the consumer is consumed")

// confirming is the wait for the outcome of one message's verdict.
type confirming struct {
	progress int // results of in_progress that are due before; guarded by the session's mutex
	outcome  Outcome
	resolved chan struct{} // closed once outcome is there
}

func newConfirming() *confirming { return &confirming{resolved: make(chan struct{})} }

func (c *confirming) resolve(o Outcome) {
	c.outcome = o
	close(c.resolved)
}

func (c *confirming) wait(ctx context.Context) (Outcome, error) {
	if c == nil {
		return 0, errNotConfirming
	}
	select {
	case <-c.resolved:
		return c.outcome, nil
	default:
	}
	select {
	case <-c.resolved:
		return c.outcome, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// awaitResult: a result for what the daemon knows by h.id is due.
func (l *ledger) awaitResult(h *held) {
	switch {
	case l.awaiting == nil:
	case l.closed:
		h.confirming.resolve(Failed)
	default:
		l.awaiting[h.id] = h
	}
}

// awaitProgress: one of its in_progress is due.
func (l *ledger) awaitProgress(h *held) {
	if l.awaiting != nil {
		h.confirming.progress++
		l.awaiting[h.id] = h
	}
}

func (l *ledger) resolve(h *held, o Outcome) {
	if l.awaiting != nil {
		h.confirming.resolve(o)
	}
}

// result: the daemon tells what became of a verdict, or of an in_progress before it: they come in order.
func (l *ledger) result(id uint64, o Outcome) {
	h := l.awaiting[id]
	if h == nil {
		return
	}
	if h.confirming.progress > 0 {
		h.confirming.progress--
	} else {
		h.confirming.resolve(o)
	}
	if h.confirming.progress == 0 && (!h.settled || isResolved(h.confirming)) {
		delete(l.awaiting, id)
	}
}

// renameAwaited: a new stream knows resumed, old id -> new id. What it does not know cannot be confirmed any more.
func (l *ledger) renameAwaited(resumed map[uint64]uint64) {
	if len(l.awaiting) == 0 {
		return
	}
	awaiting := make(map[uint64]*held, len(l.awaiting))
	for id, h := range l.awaiting {
		h.confirming.progress = 0 // told to the old stream only
		if !h.settled {
			continue
		}
		if renamed, ok := resumed[id]; ok {
			awaiting[renamed] = h
		} else {
			h.confirming.resolve(Failed)
		}
	}
	l.awaiting = awaiting
}

func isResolved(c *confirming) bool {
	select {
	case <-c.resolved:
		return true
	default:
		return false
	}
}
