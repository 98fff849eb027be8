package sluice

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// delivered is what a test says of a delivery; stored: in seconds, 0: sequence.
type delivered struct {
	id, sequence uint64
	attempt      uint64
	stored       int64
	token        string
}

func frameOf(deliveries ...delivered) *frame {
	f := &frame{held: make([]held, len(deliveries)), position: -1}
	for i, d := range deliveries {
		if d.stored == 0 {
			d.stored = int64(d.sequence)
		}
		if d.token == "" {
			d.token = fmt.Sprint("token of ", d.id)
		}
		f.held[i].frame = f
		f.held[i].confirming = newConfirming()
		f.held[i].delivery = &sluicepb.Delivery{
			Id: d.id, StreamSequence: d.sequence, NumDelivered: max(d.attempt, 1), Token: []byte(d.token),
			Timestamp: &timestamppb.Timestamp{Seconds: d.stored},
		}
	}
	return f
}

// testLedger remembers 8 verdicts, and has a stream.
type testLedger struct {
	*testing.T
	ledger
	told []settlement // by the last receive
}

func newTestLedger(t *testing.T) *testLedger {
	l := &testLedger{T: t, ledger: newLedger(4, 8, true)}
	l.opened(nil)
	return l
}

func (l *testLedger) receive(d delivered) *held {
	f := frameOf(d)
	l.told = l.accept(f)
	return &f.held[0]
}

func (l *testLedger) started(d delivered) *held {
	l.Helper()
	h := l.receive(d)
	if !h.start() {
		l.Fatalf("message %d is not to be handled", d.sequence)
	}
	return h
}

func (l *testLedger) reopen(resumed map[uint64]uint64) []settlement {
	l.streamEnded()
	return l.opened(resumed)
}

func (l *testLedger) named(kept bool) (ids, withToken []uint64) {
	open := &sluicepb.Open{}
	l.nameHeld(kept, open)
	for _, h := range open.GetResume() {
		ids = append(ids, h.GetId())
		if string(h.GetToken()) == fmt.Sprint("token of ", h.GetId()) {
			withToken = append(withToken, h.GetId())
		}
	}
	return ids, withToken
}

func same[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func sorted(ids []uint64) []uint64 {
	slices.Sort(ids)
	return ids
}

func TestAVerdictIsToldUnderItsID(t *testing.T) {
	l := newTestLedger(t)
	h := l.started(delivered{id: 7, sequence: 100})
	if l.stats.InFlight != 1 {
		t.Errorf("%d are in flight", l.stats.InFlight)
	}
	if id, tell := l.settle(h, ack()); id != 7 || !tell {
		t.Errorf("it is told for %d, %v", id, tell)
	}
	if l.stats.InFlight != 0 || l.stats.Acked != 1 || len(l.frames) != 0 {
		t.Errorf("stats: %+v, %d frames", l.stats, len(l.frames))
	}
}

func TestResumingNamesTheHeldFirstThenTheLastVerdictsTheNewestFirst(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 1}), ack())
	l.settle(l.started(delivered{id: 2, sequence: 2}), ack())
	l.receive(delivered{id: 3, sequence: 3})
	ids, _ := l.named(true)
	same(t, "named", ids, 3, 2, 1)
}

// A second NAK through another daemon would take the message from its new holder; so would a verdict on what the first
// daemon has given back.
func TestOnlyWhatMayBeSettledElsewhereIsNamedWithItsToken(t *testing.T) {
	l := newTestLedger(t)
	l.started(delivered{id: 1, sequence: 1})
	l.receive(delivered{id: 2, sequence: 2})
	l.settle(l.started(delivered{id: 3, sequence: 3}), ack())
	l.settle(l.started(delivered{id: 4, sequence: 4}), nak(0))
	l.settle(l.started(delivered{id: 5, sequence: 5}), term("no"))
	ids, kept := l.named(true)
	_, givenBack := l.named(false)
	same(t, "named", sorted(ids), 1, 2, 3, 4, 5)
	same(t, "with tokens, as long as they are kept", sorted(kept), 1, 2, 3, 5)
	same(t, "with tokens, once they may have been given back", givenBack, 3)
}

func TestWhatIsNamedFitsIntoARequest(t *testing.T) {
	l := newTestLedger(t)
	for id := uint64(1); id <= 10; id++ {
		l.receive(delivered{id: id, sequence: id, token: string(make([]byte, 2<<20))})
	}
	open := &sluicepb.Open{}
	l.nameHeld(true, open)
	if size := proto.Size(open); size > 16<<20 || len(open.GetResume()) < 5 {
		t.Errorf("%d entries have %d bytes", len(open.GetResume()), size)
	}
}

func TestOnlyAsManyVerdictsAreRememberedAsAsked(t *testing.T) {
	l := newTestLedger(t)
	for id := uint64(1); id <= 11; id++ {
		l.settle(l.started(delivered{id: id, sequence: id}), ack())
	}
	ids, _ := l.named(true)
	same(t, "named", ids, 11, 10, 9, 8, 7, 6, 5, 4)
	l.reopen(nil)
	for id := uint64(1); id <= 11; id++ {
		l.settle(l.started(delivered{id: 100 + id, sequence: 100 + id}), ack())
	}
	l.reopen(nil)
	if len(l.doubts.bySequence) != 8 || l.doubts.bySequence[111].message.sequence != 111 {
		t.Errorf("in doubt: %v", slices.Sorted(maps.Keys(l.doubts.bySequence)))
	}
}

func TestWhatIsResumedGoesOnUnderItsNewID(t *testing.T) {
	l := newTestLedger(t)
	h := l.started(delivered{id: 1, sequence: 1})
	same(t, "told", l.reopen(map[uint64]uint64{1: 50}))
	if h.cancelled || l.stats.Lost != 0 {
		t.Error("it was lost")
	}
	if id, tell := l.settle(h, ack()); id != 50 || !tell {
		t.Errorf("it is told for %d, %v", id, tell)
	}
}

func TestAVerdictThatGotLostIsToldAgainInOrder(t *testing.T) {
	l := newTestLedger(t)
	for id := uint64(1); id <= 3; id++ {
		l.settle(l.started(delivered{id: id, sequence: id}), nak(0))
	}
	same(t, "told", l.reopen(map[uint64]uint64{3: 53, 1: 51}), settlement{51, nak(0)}, settlement{53, nak(0)})
}

func TestAVerdictBetweenStreamsIsToldWhenItIsResumed(t *testing.T) {
	l := newTestLedger(t)
	h := l.started(delivered{id: 1, sequence: 1})
	l.streamEnded()
	if _, tell := l.settle(h, ack()); tell {
		t.Error("there is nobody to tell")
	}
	same(t, "told", l.opened(map[uint64]uint64{1: 50}), settlement{50, ack()})
}

// The daemon's successor adopted it, but JetStream had sent it again already, before the ack was there.
func TestWhatIsResumedAfterItsVerdictIsNotRunWhenItComesBack(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 9}), ack())
	l.reopen(map[uint64]uint64{1: 51})
	if l.receive(delivered{id: 60, sequence: 9, attempt: 2}).start() {
		t.Error("it is run again")
	}
	same(t, "told", l.told, settlement{60, ack()})
}

func TestWhatIsNotResumedIsDroppedOrCancelled(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 1})
	queued := l.receive(delivered{id: 2, sequence: 2})
	l.reopen(nil)
	if !running.cancelled || running.ctx.Err() == nil || queued.start() {
		t.Error("what runs is not cancelled, or what waits is still started")
	}
	if l.stats.Lost != 2 || l.stats.InFlight != 1 {
		t.Errorf("stats: %+v", l.stats)
	}
	if _, tell := l.settle(running, ack()); tell {
		t.Error("its verdict is told, though the daemon does not know it")
	}
}

func TestAMessageThatComesBackToItsRunningHandlerIsNotRunTwice(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 9})
	l.reopen(nil)
	if l.receive(delivered{id: 60, sequence: 9, attempt: 2}).start() {
		t.Error("it is run again")
	}
	if running.cancelled || l.stats.Rejoined != 1 || l.stats.Received != 1 {
		t.Errorf("stats: %+v", l.stats)
	}
	if id, tell := l.settle(running, ack()); id != 60 || !tell {
		t.Errorf("it is told for %d, %v", id, tell)
	}
}

// A token names one attempt: by the first one's, the daemon's successor would not find what this app holds now.
func TestWhatHasComeBackIsNamedWithTheTokenOfItsNewAttempt(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 9})
	settled := l.started(delivered{id: 2, sequence: 10})
	l.reopen(nil)
	l.receive(delivered{id: 60, sequence: 9, attempt: 2})
	l.receive(delivered{id: 61, sequence: 10, attempt: 2})
	l.settle(settled, ack())
	ids, withToken := l.named(true)
	same(t, "named", sorted(ids), 60, 61)
	same(t, "with tokens", sorted(withToken), 60, 61)
	if id, tell := l.settle(running, term("no")); id != 60 || !tell {
		t.Errorf("it is told for %d, %v", id, tell)
	}
	_, withToken = l.named(true)
	same(t, "with tokens, once it is settled", sorted(withToken), 60, 61)
}

func TestAMessageThatComesBackAfterItsAckGotLostIsAckedAgain(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 9}), ack())
	l.reopen(nil)
	if l.receive(delivered{id: 60, sequence: 9, attempt: 2}).start() {
		t.Error("it is run again")
	}
	same(t, "told", l.told, settlement{60, ack()})
	same(t, "told once more", l.reopen(map[uint64]uint64{60: 70}), settlement{70, ack()})
}

func TestAVerdictGivenToNobodyCountsWhenTheMessageComesBack(t *testing.T) {
	l := newTestLedger(t)
	orphan := l.started(delivered{id: 1, sequence: 9})
	l.reopen(nil)
	l.settle(orphan, term("no"))
	if l.receive(delivered{id: 60, sequence: 9, attempt: 2}).start() {
		t.Error("it is run again")
	}
	same(t, "told", l.told, settlement{60, term("no")})
}

func TestWhatWasNakedIsRunAgain(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 9}), nak(0))
	l.reopen(nil)
	l.started(delivered{id: 60, sequence: 9, attempt: 2})
	same(t, "told", l.told)
}

func TestTheSameSequenceInAStreamMadeAnewIsAnotherMessage(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 9, stored: 1000}), ack())
	running := l.started(delivered{id: 2, sequence: 10, stored: 1000})
	l.reopen(nil)
	l.started(delivered{id: 60, sequence: 9, attempt: 2, stored: 2000})
	l.started(delivered{id: 61, sequence: 10, attempt: 2, stored: 2000})
	if !running.cancelled {
		t.Error("the old one still counts")
	}
}

func TestAMessageThatCrossedWithItsAckIsAckedAgain(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 9}), ack())
	if l.receive(delivered{id: 2, sequence: 9, attempt: 2}).start() {
		t.Error("it is run again")
	}
	same(t, "told", l.told, settlement{2, ack()})
}

func TestTheLastVerdictOnAMessageCounts(t *testing.T) {
	l := newTestLedger(t)
	l.settle(l.started(delivered{id: 1, sequence: 9}), nak(0))
	again := l.started(delivered{id: 2, sequence: 9, attempt: 2})
	l.settle(again, ack())
	if l.receive(delivered{id: 3, sequence: 9, attempt: 3}).start() {
		t.Error("it is run again")
	}
	for id := uint64(10); id < 18; id++ { // as many as are remembered
		l.settle(l.started(delivered{id: id, sequence: id}), ack())
	}
	l.started(delivered{id: 20, sequence: 9, attempt: 4})
}

func TestAnEndedLeaseCancelsWhatRunsAndGivesBackWhatWaits(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 1})
	queued := l.receive(delivered{id: 2, sequence: 2})
	other := l.started(delivered{id: 3, sequence: 3})
	same(t, "told", l.leasesEnded([]uint64{1, 2}), settlement{2, nak(0)})
	if !running.cancelled || queued.start() || other.cancelled {
		t.Error("the wrong ones were cancelled")
	}
	if id, tell := l.settle(running, ack()); id != 1 || !tell {
		t.Error("a late ack is forwarded")
	}
}

func TestALateVerdictCountsForTheNextAttemptToo(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 1})
	l.leasesEnded([]uint64{1})
	l.settle(running, ack())
	if l.receive(delivered{id: 2, sequence: 1, attempt: 2}).start() {
		t.Error("it is run again")
	}
	same(t, "told", l.told, settlement{2, ack()})
}

func TestAnAttemptAfterAnEndedLeaseJoinsTheRunningHandlerAndFreesTheOldID(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 1})
	l.leasesEnded([]uint64{1})
	l.receive(delivered{id: 2, sequence: 1, attempt: 2})
	same(t, "told", l.told, settlement{1, nak(0)})
	if id, _ := l.settle(running, ack()); id != 2 {
		t.Errorf("it is told for %d", id)
	}
}

func TestHandingBackTakesWhatWaitsAscending(t *testing.T) {
	l := newTestLedger(t)
	l.receive(delivered{id: 3, sequence: 3})
	running := l.started(delivered{id: 2, sequence: 2})
	l.receive(delivered{id: 1, sequence: 1})
	same(t, "told", l.handBack(), settlement{1, nak(0)}, settlement{3, nak(0)})
	if id, tell := l.settle(running, ack()); id != 2 || !tell {
		t.Errorf("what runs is told for %d, %v", id, tell)
	}
}

func TestAClosedLedgerTellsNothing(t *testing.T) {
	l := newTestLedger(t)
	running := l.started(delivered{id: 1, sequence: 1})
	queued := l.receive(delivered{id: 2, sequence: 2})
	l.close()
	if !running.cancelled || queued.start() {
		t.Error("it goes on")
	}
	if _, tell := l.settle(running, ack()); tell {
		t.Error("it is told")
	}
	if running.confirming.outcome != Failed {
		t.Error("its outcome is still awaited")
	}
}

func TestAFrameIsForgottenWithItsLastVerdict(t *testing.T) {
	l := newTestLedger(t)
	f := frameOf(delivered{id: 1, sequence: 1}, delivered{id: 2, sequence: 2})
	l.accept(f)
	other := l.receive(delivered{id: 3, sequence: 3})
	l.settle(&f.held[0], ack())
	if len(l.frames) != 2 {
		t.Errorf("%d frames are known", len(l.frames))
	}
	l.settle(&f.held[1], ack())
	l.settle(other, ack())
	if len(l.frames) != 0 {
		t.Errorf("%d frames are known", len(l.frames))
	}
}
