package sluice

import (
	"math"
	"time"
)

const (
	// As much as a frame carries sixteen times over: more makes nothing quicker.
	mostAdaptiveCredit = 4096

	creditInterval = 50 * time.Millisecond  // between measurements
	mostWork       = 250 * time.Millisecond // held at most
	spareWork      = 25 * time.Millisecond  // held beyond what handlers have, when messages arrive
	creditGrowth   = 4                      // at once: a hiccup on the way may be all that it was
)

// creditWindow is how many messages to ask for when the app does not say. Enough that its handlers never wait for the
// daemon, and no more, as a drain finishes what is held, and siblings could have it meanwhile. So where a handler had
// nothing to do, for all that they finish in mostWork, which the way to the server may take; and where something was
// held all the time that no handler had begun, for so much less that it is what they finish in spareWork. Guarded by
// the session's mutex.
type creditWindow struct {
	adapts      bool
	concurrency int
	least       uint32
	messages    uint32 // in force

	measuredAt time.Time
	settled    uint64 // at measuredAt
	leastHeld  uint64 // since then
}

// newCreditWindow: fixed is the app's own choice, 0: none.
func newCreditWindow(fixed uint32, concurrency int) creditWindow {
	if fixed > 0 {
		return creditWindow{messages: fixed}
	}
	least := max(8, 4*uint32(concurrency))
	return creditWindow{adapts: true, concurrency: concurrency, least: least, messages: least, leastHeld: math.MaxUint64}
}

func (w *creditWindow) most() uint32 {
	if w.adapts {
		return max(mostAdaptiveCredit, w.least)
	}
	return w.messages
}

// update, when messages arrive: settled is the count of verdicts so far, held the messages that were here before them; 0
// if handlers may have nothing to do all the same. True: the credit has changed.
func (w *creditWindow) update(now time.Time, settled, held uint64) bool {
	w.leastHeld = min(w.leastHeld, held)
	elapsed := now.Sub(w.measuredAt)
	if !w.adapts || elapsed < creditInterval {
		return false
	}
	rate := float64(settled-w.settled) / elapsed.Seconds()
	spare := float64(w.leastHeld) - float64(w.concurrency)
	w.measuredAt, w.settled, w.leastHeld = now, settled, math.MaxUint64
	if elapsed > 10*creditInterval {
		return false // it was resting, which says nothing about how quick the handlers are
	}
	wanted := uint32(min(max(w.wanted(rate, spare), float64(w.least)), float64(w.most())))
	if wanted < 2*w.messages && wanted > w.messages/2 {
		return false // not worth a request
	}
	w.messages = wanted
	return true
}

// wanted: the daemon asks for more when half of it is free, so of a message less to ask for, half is missing when that
// comes.
func (w *creditWindow) wanted(rate, spare float64) float64 {
	most := rate * mostWork.Seconds()
	if spare < 0 {
		return min(creditGrowth*float64(w.messages), most)
	}
	surplus := max(spare-rate*spareWork.Seconds(), 0)
	return min(float64(w.messages)-2*surplus, most)
}
