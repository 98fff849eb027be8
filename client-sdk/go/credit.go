package sluice

import "time"

const (
	// As much as a frame carries sixteen times over: more makes nothing quicker.
	mostAdaptiveCredit = 4096

	creditInterval = 50 * time.Millisecond  // between measurements
	creditPeriod   = 250 * time.Millisecond // how much work to hold
)

// creditWindow is how many messages to ask for when the app does not say: what its handlers finish in a quarter of a
// second. Enough that quick ones never wait for the daemon, and so little that slow ones finish what they hold within a
// drain. Guarded by the session's mutex.
type creditWindow struct {
	adapts   bool
	least    uint32
	messages uint32 // in force

	measuredAt time.Time
	settled    uint64 // at measuredAt
}

// newCreditWindow: fixed is the app's own choice, 0: none.
func newCreditWindow(fixed uint32, concurrency int) creditWindow {
	if fixed > 0 {
		return creditWindow{messages: fixed}
	}
	least := max(8, 4*uint32(concurrency))
	return creditWindow{adapts: true, least: least, messages: least}
}

func (w *creditWindow) most() uint32 {
	if w.adapts {
		return max(mostAdaptiveCredit, w.least)
	}
	return w.messages
}

// update, when messages arrive: settled is the count of verdicts so far. True: the credit has changed.
func (w *creditWindow) update(now time.Time, settled uint64) bool {
	elapsed := now.Sub(w.measuredAt)
	if !w.adapts || elapsed < creditInterval {
		return false
	}
	rate := float64(settled-w.settled) / elapsed.Seconds()
	w.measuredAt, w.settled = now, settled
	if elapsed > 10*creditInterval {
		return false // it was resting, which says nothing about how quick the handlers are
	}
	wanted := uint32(min(max(rate*creditPeriod.Seconds(), float64(w.least)), float64(w.most())))
	if wanted < 2*w.messages && wanted > w.messages/2 {
		return false // not worth a request
	}
	w.messages = wanted
	return true
}
