package sluice

import (
	"testing"
	"time"
)

// run lets handlers of a rate work for a while; it returns the credit then, and how often it changed.
func runAt(w *creditWindow, now *time.Time, settled *uint64, perSecond, seconds float64) (credit uint32, changes int) {
	const step = 10 * time.Millisecond
	for range int(seconds / step.Seconds()) {
		*now = now.Add(step)
		*settled += uint64(perSecond * step.Seconds())
		if w.update(*now, *settled, 0) {
			changes++
		}
	}
	return w.messages, changes
}

func TestTheCreditFollowsTheHandlers(t *testing.T) {
	now, settled := time.Unix(1000, 0), uint64(0)
	w := newCreditWindow(0, 4)
	if w.messages != 16 || w.most() != mostAdaptiveCredit {
		t.Fatalf("it begins with %d of %d", w.messages, w.most())
	}
	for _, c := range []struct {
		perSecond float64
		least     uint32
		most      uint32
	}{{2000, 250, 600}, {1_000_000, 4096, 4096}, {100, 16, 32}} {
		if got, _ := runAt(&w, &now, &settled, c.perSecond, 1); got < c.least || got > c.most {
			t.Errorf("at %v/s the credit is %d, want %d..%d", c.perSecond, got, c.least, c.most)
		}
	}
}

// after lets so many verdicts be given in the next 100 ms; then messages come, of which held are here still.
func after(w *creditWindow, now *time.Time, settled *uint64, more, held uint64) uint32 {
	*now = now.Add(100 * time.Millisecond)
	*settled += more
	w.update(*now, *settled, held)
	return w.messages
}

func TestTheCreditGivesUpWhatNoHandlerWaitsFor(t *testing.T) {
	now, settled := time.Unix(1000, 0), uint64(0)
	w := newCreditWindow(0, 1)
	for i, c := range []struct {
		settled, held uint64
		want          uint32
	}{
		{0, 0, 8}, {4000, 4, 8}, {4000, 0, 32}, {4000, 0, 128}, {4000, 0, 512}, {4000, 0, 2048}, {4000, 1801, 448},
		{4000, 1001, 448}, {4000, 20, 448}, {40, 2, 100}, {40, 2, 100},
	} {
		if got := after(&w, &now, &settled, c.settled, c.held); got != c.want {
			t.Errorf("after step %d it is %d, want %d", i, got, c.want)
		}
	}
}

func TestOneTimeWithoutAnythingToDoIsEnoughForTheCreditToGrow(t *testing.T) {
	now, settled := time.Unix(1000, 0), uint64(0)
	w := newCreditWindow(0, 2)
	after(&w, &now, &settled, 0, 0)
	after(&w, &now, &settled, 400, 3)
	if w.update(now.Add(20*time.Millisecond), settled, 1) {
		t.Error("it changed within 50 ms")
	}
	if got := after(&w, &now, &settled, 400, 3); got != 32 {
		t.Errorf("it is %d, want 32", got)
	}
}

func TestTheCreditDoesNotFlutter(t *testing.T) {
	now, settled := time.Unix(1000, 0), uint64(0)
	w := newCreditWindow(0, 1)
	runAt(&w, &now, &settled, 6000, 1)
	if _, changes := runAt(&w, &now, &settled, 7000, 1); changes != 0 {
		t.Errorf("it changed %d times for a sixth more", changes)
	}
}

func TestARestIsNotTakenForSlowness(t *testing.T) {
	now, settled := time.Unix(1000, 0), uint64(0)
	w := newCreditWindow(0, 1)
	before, _ := runAt(&w, &now, &settled, 4000, 1)
	now = now.Add(time.Minute)
	if w.update(now, settled, 0) || w.messages != before {
		t.Errorf("after a rest the credit is %d, it was %d", w.messages, before)
	}
}

func TestTheAppsChoiceStays(t *testing.T) {
	now, settled := time.Unix(1000, 0), uint64(0)
	w := newCreditWindow(10, 100)
	if got, changes := runAt(&w, &now, &settled, 1_000_000, 1); got != 10 || changes != 0 || w.most() != 10 {
		t.Errorf("the credit is %d after %d changes", got, changes)
	}
}

func TestManyHandlersHaveFourMessagesEach(t *testing.T) {
	if w := newCreditWindow(0, 2000); w.messages != 8000 || w.most() != 8000 {
		t.Errorf("2,000 handlers share %d of %d messages", w.messages, w.most())
	}
}

func TestBackoffDoublesAndIsShortenedAtRandom(t *testing.T) {
	b := newBackoff(100*time.Millisecond, time.Second)
	for _, longest := range []time.Duration{0, 100, 200, 400, 800, 1000, 1000} {
		longest *= time.Millisecond
		if got := b.next(); got > longest || got < longest*3/4 {
			t.Errorf("it waits %v, want %v less a quarter at most", got, longest)
		}
	}
	b.reset()
	if got := b.next(); got != 0 {
		t.Errorf("after a good stream it waits %v", got)
	}
}
