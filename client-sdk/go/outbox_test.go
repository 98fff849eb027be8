package sluice

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// describe a request: "open", "credit 5", "1,2 ack; 3 nak".
func describe(r *sluicepb.ConsumeRequest) string {
	switch kind := r.GetKind().(type) {
	case *sluicepb.ConsumeRequest_Open:
		return "open"
	case *sluicepb.ConsumeRequest_Drain:
		return "drain"
	case *sluicepb.ConsumeRequest_Credit:
		return fmt.Sprint("credit ", kind.Credit.GetMessages())
	}
	var runs []string
	for _, run := range r.GetSettle().GetRuns() {
		ids := strings.ReplaceAll(strings.Trim(fmt.Sprint(run.GetIds()), "[]"), " ", ",")
		runs = append(runs, ids+" "+wordOf(run))
	}
	return strings.Join(runs, "; ")
}

func wordOf(run *sluicepb.SettleRun) string {
	switch verdict := run.GetVerdict().(type) {
	case *sluicepb.SettleRun_Ack:
		return "ack"
	case *sluicepb.SettleRun_Nak:
		if verdict.Nak.GetDelay() != nil {
			return fmt.Sprint("nak ", verdict.Nak.GetDelay().AsDuration().Milliseconds())
		}
		return "nak"
	case *sluicepb.SettleRun_Term:
		return strings.TrimSpace("term " + verdict.Term.GetReason())
	case *sluicepb.SettleRun_InProgress:
		return "in_progress"
	}
	return "nothing"
}

// takeAll is what the outbox would have written.
func takeAll(o *outbox) (written []string) {
	for {
		request, step := o.next()
		switch step {
		case stepNothing:
			return written
		case stepHalfClose:
			written = append(written, "half-close")
		case stepWrite:
			written = append(written, describe(request))
		}
	}
}

func newOpenOutbox() *outbox {
	o := &outbox{}
	o.open(&sluicepb.Open{})
	takeAll(o)
	return o
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEqualVerdictsInARowShareARun(t *testing.T) {
	o := newOpenOutbox()
	for id, v := range []verdict{ack(), ack(), nak(0), nak(0), nak(time.Second), term("no"), term("no"), term("why"), ack()} {
		o.addVerdict(uint64(id), v)
	}
	expect(t, takeAll(o), "0,1 ack; 2,3 nak; 4 nak 1000; 5,6 term no; 7 term why; 8 ack")
}

func TestVerdictsOfTheNextWriteDoNotJoinTheLast(t *testing.T) {
	o := newOpenOutbox()
	o.addVerdict(1, ack())
	first, _ := o.next()
	o.addVerdict(2, ack())
	expect(t, []string{describe(first)}, "1 ack")
	expect(t, takeAll(o), "2 ack")
}

func TestRequestsAreBounded(t *testing.T) {
	o := newOpenOutbox()
	for id := range uint64(mostIDsInRequest + 1) {
		o.addVerdict(id, ack())
	}
	first, _ := o.next()
	if got := len(first.GetSettle().GetRuns()[0].GetIds()); got != mostIDsInRequest {
		t.Errorf("the first request has %d ids", got)
	}
	expect(t, takeAll(o), fmt.Sprint(mostIDsInRequest, " ack"))
}

func TestOtherRequestsKeepTheirPlace(t *testing.T) {
	o := newOpenOutbox()
	o.addVerdict(1, ack())
	o.add(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Credit{Credit: &sluicepb.Credit{Messages: 5}}})
	o.addVerdict(2, ack())
	expect(t, takeAll(o), "1 ack", "credit 5", "2 ack")
}

func TestTheHalfCloseComesAfterWhatIsQueuedAndNothingAfterIt(t *testing.T) {
	o := newOpenOutbox()
	o.addVerdict(1, ack())
	o.finish = true
	expect(t, takeAll(o), "1 ack", "half-close")
	o.addVerdict(2, ack())
	expect(t, takeAll(o))
}

func TestAnInProgressKeepsItsPlaceBesideVerdicts(t *testing.T) {
	o := newOpenOutbox()
	o.addVerdict(1, ack())
	ordinal := o.addInProgress(2)
	if o.addInProgress(3) != ordinal || o.taken >= ordinal {
		t.Errorf("both go with request %d, %d are taken", ordinal, o.taken)
	}
	o.addVerdict(4, ack())
	expect(t, takeAll(o), "1 ack; 2,3 in_progress; 4 ack")
	if o.taken != ordinal {
		t.Errorf("%d are taken, want %d", o.taken, ordinal)
	}
}

func TestAClosedOutboxWritesNothingUntilItIsOpenedAgain(t *testing.T) {
	o := newOpenOutbox()
	o.addVerdict(1, ack())
	o.closed = true
	o.addVerdict(2, ack())
	expect(t, takeAll(o))
	o.open(&sluicepb.Open{})
	expect(t, takeAll(o), "open")
}
