package sluice

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

func TestALoopGivesTheMessagesAndNaksWhatGetsNoVerdict(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders")
	stream := d.begin()
	stream.deliver(1, 5)
	for m, err := range messages.All(background) {
		if err != nil {
			t.Fatal(err)
		}
		if m.StreamSequence() == 4 {
			break // without a verdict
		}
		if m.StreamSequence() != 2 {
			m.Ack()
		}
	}
	same(t, "verdicts", stream.awaitVerdicts(4), "1 ack", "2 nak", "3 ack", "4 nak")
	for m, err := range messages.All(background) { // goes on
		if err != nil {
			t.Fatal(err)
		}
		m.Ack()
		break
	}
	same(t, "verdicts", stream.awaitVerdicts(5)[4:], "5 ack")
}

func TestALoopThatPanicsNaks(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders")
	stream := d.begin()
	stream.deliver(1, 1)
	func() {
		defer func() { recover() }()
		for range messages.All(background) {
			panic("in the loop")
		}
	}()
	same(t, "verdicts", stream.awaitVerdicts(1), "1 nak")
}

func TestAManualLoopMaySettleLater(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders", WithManual())
	stream := d.begin()
	stream.deliver(1, 2)
	var later []*Message
	for m, err := range messages.All(background) {
		if err != nil {
			t.Fatal(err)
		}
		if later = append(later, m); len(later) == 2 {
			break
		}
	}
	for _, m := range slices.Backward(later) {
		m.Ack()
	}
	same(t, "verdicts", stream.awaitVerdicts(2), "2 ack", "1 ack")
}

func TestALoopEndsWhenItIsDrained(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders")
	stream := d.begin()
	stream.deliver(1, 4)
	count := 0
	for m, err := range messages.All(background) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; count == 2 {
			messages.StartDrain(0)
		}
		m.Ack()
		if count == 4 {
			stream.awaitDrain()
			stream.awaitVerdicts(4)
			stream.drained(threeAwaited())
		}
	}
	if count != 4 || !messages.Report().Completed {
		t.Errorf("%d came, report: %+v", count, messages.Report())
	}
}

func TestADrainHandsBackWhatNobodyLoopsOver(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders")
	stream := d.begin()
	stream.deliver(1, 4)
	for m := range messages.All(background) {
		m.Ack()
		break
	}
	messages.StartDrain(0)
	same(t, "verdicts", stream.awaitVerdicts(4), "1 ack", "2 nak", "3 nak", "4 nak")
}

func TestALoopThatIsLeftWhileItDrainsHandsBackTheRest(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders")
	stream := d.begin()
	stream.deliver(1, 3)
	for m := range messages.All(background) {
		messages.StartDrain(0)
		stream.awaitDrain()
		m.Ack()
		break
	}
	same(t, "verdicts", stream.awaitVerdicts(3), "1 ack", "2 nak", "3 nak")
}

func TestWhatWasOnItsWayWhenADrainBeganIsHandedBackToo(t *testing.T) {
	d := newFakeDaemon(t)
	client := newTestClient(t, d)
	messages := client.Messages(background, "orders")
	stream := d.begin()
	messages.StartDrain(0)
	stream.awaitDrain()
	stream.deliver(1, 2)
	same(t, "verdicts", stream.awaitVerdicts(2), "1 nak", "2 nak")
	consumption := client.Consume(background, "parcels", acks, WithHandBack(true))
	stream = d.begin()
	consumption.StartDrain(0)
	stream.awaitDrain()
	stream.deliver(1, 2)
	same(t, "verdicts", stream.awaitVerdicts(2), "1 nak", "2 nak")
}

func TestALoopTellsWhyItEnded(t *testing.T) {
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders")
	d.accept().finish(status.Error(codes.NotFound, "known: parcels"))
	turns := 0
	for m, err := range messages.All(background) {
		if turns++; m != nil || status.Code(err) != codes.NotFound {
			t.Errorf("it got %v, %v", m, err)
		}
	}
	if turns != 1 {
		t.Errorf("it had %d turns", turns)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	for m, err := range newTestClient(t, d).Messages(background, "orders").All(ctx) {
		if m != nil || err != context.Canceled {
			t.Errorf("it got %v, %v", m, err)
		}
	}
}

func TestSeveralLoopsShareTheMessages(t *testing.T) {
	const loops, count = 4, 1000
	d := newFakeDaemon(t)
	messages := newTestClient(t, d).Messages(background, "orders", WithCredit(count))
	var done sync.WaitGroup
	for range loops {
		done.Go(func() {
			for m, err := range messages.All(background) {
				if err != nil {
					t.Error(err)
				}
				m.Ack()
			}
		})
	}
	stream := d.begin()
	stream.deliver(1, count)
	verdicts := stream.awaitVerdicts(count)
	slices.Sort(verdicts)
	if distinct := slices.Compact(verdicts); len(distinct) != count {
		t.Errorf("%d of %d were acked", len(distinct), count)
	}
	messages.StartDrain(0)
	stream.awaitDrain()
	stream.drained(nil)
	done.Wait()
}

// fetchNow is a fetch of which the test awaits the result.
func fetchNow(t *testing.T, f *Fetcher, n int, maxWait time.Duration) <-chan []*Message {
	result := make(chan []*Message, 1)
	go func() {
		messages, err := f.Fetch(background, n, maxWait)
		if err != nil {
			t.Errorf("fetching: %v", err)
		}
		result <- messages
	}()
	return result
}

func TestAFetchAsksForWhatItWantsAndForNothingAfterwards(t *testing.T) {
	d := newFakeDaemon(t)
	fetcher := newTestClient(t, d).Fetcher(background, "orders")
	stream := d.begin()
	if credit := stream.open.GetCredit(); credit == nil || credit.GetMessages() != 0 {
		t.Errorf("it opens with the credit %v", credit)
	}
	fetched := fetchNow(t, fetcher, 3, time.Minute)
	stream.awaitCredit(func(credit uint32) bool { return credit == 3 })
	stream.deliver(1, 2)
	stream.deliver(3, 1)
	first := receiveFrom(t, "the messages", fetched)
	if len(first) != 3 {
		t.Fatalf("%d came", len(first))
	}
	stream.awaitCredit(func(credit uint32) bool { return credit == 0 })
	second := fetchNow(t, fetcher, 2, time.Minute)
	stream.awaitCredit(func(credit uint32) bool { return credit == 5 }) // what is held counts
	stream.deliver(4, 1)
	if got := receiveFrom(t, "some of them", second); len(got) != 1 {
		t.Errorf("%d came", len(got))
	}
	for _, m := range first {
		m.Ack()
	}
	same(t, "verdicts", stream.awaitVerdicts(3), "1 ack", "2 ack", "3 ack")
}

func TestAFetchBeforeThereIsAStream(t *testing.T) {
	d := newFakeDaemon(t)
	fetcher := newTestClient(t, d).Fetcher(background, "orders")
	fetched := fetchNow(t, fetcher, 2, time.Minute)
	stream := d.begin()
	stream.awaitCredit(func(credit uint32) bool { return credit == 2 })
	stream.deliver(1, 2)
	if got := receiveFrom(t, "the messages", fetched); len(got) != 2 {
		t.Errorf("%d came", len(got))
	}
}

func TestAFetchThatFindsNothingReturnsNothing(t *testing.T) {
	d := newFakeDaemon(t)
	fetcher := newTestClient(t, d).Fetcher(background, "orders")
	d.begin()
	began := time.Now()
	if got, err := fetcher.Fetch(background, 1, 150*time.Millisecond); len(got) != 0 || err != nil || time.Since(began) < 150*time.Millisecond {
		t.Errorf("after %v it returned %v, %v", time.Since(began), got, err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if got, err := fetcher.Fetch(ctx, 1, time.Minute); len(got) != 0 || err != context.Canceled {
		t.Errorf("it returned %v, %v", got, err)
	}
	if _, err := fetcher.Fetch(background, 0, time.Minute); err == nil {
		t.Error("it took 0 messages for a number")
	}
}

func TestWhatComesTooLateForAFetchIsForTheNextOneOrGoesBack(t *testing.T) {
	d := newFakeDaemon(t)
	fetcher := newTestClient(t, d).Fetcher(background, "orders")
	stream := d.begin()
	fetched := fetchNow(t, fetcher, 3, time.Minute)
	stream.awaitCredit(func(credit uint32) bool { return credit == 3 })
	stream.deliver(1, 1)
	first := receiveFrom(t, "the message", fetched)
	stream.deliver(2, 2) // before it knew that the fetch was over
	second := receiveFrom(t, "what came too late", fetchNow(t, fetcher, 1, time.Minute))
	if len(first) != 1 || len(second) != 1 || second[0].StreamSequence() != 2 {
		t.Errorf("they are %v and %v", first, second)
	}
	same(t, "verdicts", stream.awaitVerdicts(1), "3 nak")
	first[0].Ack()
	second[0].Ack()
	same(t, "verdicts", stream.awaitVerdicts(3), "3 nak", "1 ack", "2 ack")
}

func TestAFetchedMessageThatIsLetGoOfNaks(t *testing.T) {
	d := newFakeDaemon(t)
	fetcher := newTestClient(t, d).Fetcher(background, "orders")
	stream := d.begin()
	fetched := fetchNow(t, fetcher, 1, time.Minute)
	stream.awaitCredit(func(credit uint32) bool { return credit == 1 })
	stream.deliver(1, 1)
	receiveFrom(t, "the message", fetched)
	eventually(t, "the nak", func() bool {
		runtime.GC()
		stream.mu.Lock()
		defer stream.mu.Unlock()
		return slices.Equal(stream.verdicts, []string{"1 nak"})
	})
}

func TestADrainEndsFetches(t *testing.T) {
	d := newFakeDaemon(t)
	fetcher := newTestClient(t, d).Fetcher(background, "orders")
	stream := d.begin()
	ended := make(chan error, 1)
	go func() {
		_, err := fetcher.Fetch(background, 1, time.Minute)
		ended <- err
	}()
	stream.awaitCredit(func(credit uint32) bool { return credit == 1 })
	fetcher.StartDrain(0)
	stream.awaitDrain()
	if _, err := fetcher.Fetch(background, 1, 0); err != nil && err != ErrClosed {
		t.Errorf("while it drains: %v", err)
	}
	stream.drained(&sluicepb.DrainReport{})
	if err := receiveFrom(t, "the end of the fetch", ended); err != ErrClosed {
		t.Errorf("it ended with %v", err)
	}
	if _, err := fetcher.Fetch(background, 1, time.Minute); err != ErrClosed {
		t.Errorf("after the drain: %v", err)
	}
}
