package sluice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

var background = context.Background()

func TestItOpensWithWhatTheOptionsSay(t *testing.T) {
	d := newFakeDaemon(t)
	client := newTestClient(t, d, WithClientID("me"))
	client.Consume(background, "orders", acks, WithCredit(7), WithCreditBytes(1000), WithMaxBatch(5), WithConfirm(true),
		WithResumable(false))
	open := d.accept().open
	if open.GetConsumer() != "orders" || open.GetClientId() != "me" || open.GetCredit().GetMessages() != 7 ||
		open.GetCredit().GetBytes() != 1000 || open.GetMaxBatch() != 5 || !open.GetConfirmSettlements() || open.GetResumable() {
		t.Errorf("it opens with %v", open)
	}
	client.Consume(background, "orders", acks)
	open = d.accept().open
	if open.GetClientId() != "me-2" || open.GetCredit().GetMessages() != 8 || !open.GetResumable() || open.GetConfirmSettlements() {
		t.Errorf("the second one opens with %v", open)
	}
}

func TestTheAddressComesFromTheEnvironment(t *testing.T) {
	d := newFakeDaemon(t)
	t.Setenv("SLUICE_ADDRESS", d.address())
	client, err := NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	other, err := NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if client.Address() != d.address() || client.ClientID() == other.ClientID() || len(client.ClientID()) > 128 {
		t.Errorf("clients %q and %q of %q", client.ClientID(), other.ClientID(), client.Address())
	}
	client.Consume(background, "orders", acks)
	d.accept()
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	_, err := NewClient(WithAddress("unix:///a\x00b"))
	if err == nil || !strings.Contains(err.Error(), "unix:///path") {
		t.Errorf("it says %v", err)
	}
}

func TestAnOptionOutOfItsLimitsEndsItAtOnce(t *testing.T) {
	client := newTestClient(t, newFakeDaemon(t))
	for _, option := range []Option{WithConcurrency(0), WithConcurrency(10_001), WithCredit(-1), WithMaxBatch(257),
		WithCreditBytes(1 << 31), WithRemembered(-1)} {
		consumption := client.Consume(background, "orders", acks, option)
		if err := consumption.Wait(background); err == nil || !strings.Contains(err.Error(), "out of its limits") {
			t.Errorf("it says %v", err)
		}
		if state, _ := consumption.State(); state != Closed {
			t.Errorf("its state is %v", state)
		}
	}
}

func TestWhatHandlersReturnIsTheVerdict(t *testing.T) {
	d := newFakeDaemon(t)
	errs := make(chan error, 10)
	consumption := newTestClient(t, d).Consume(background, "orders", func(_ context.Context, m *Message) error {
		switch m.StreamSequence() {
		case 1:
			return nil
		case 2:
			return errors.New("no connection")
		case 3:
			return fmt.Errorf("busy: %w", RetryAfter(1500*time.Millisecond))
		case 4:
			return Reject("no such customer")
		}
		panic("out of range")
	}, WithOnError(func(err error) { errs <- err }))
	stream := d.begin()
	stream.deliver(1, 5)
	same(t, "verdicts", stream.awaitVerdicts(5), "1 ack", "2 nak", "3 nak 1500", "4 term no such customer", "5 nak")
	var failed, panicked *HandlerError
	if err := receiveFrom(t, "an error", errs); !errors.As(err, &failed) || failed.Message.StreamSequence() != 2 ||
		failed.Err.Error() != "no connection" || failed.Stack != nil {
		t.Errorf("told: %v", err)
	}
	if err := receiveFrom(t, "an error", errs); !errors.As(err, &panicked) || panicked.Message.StreamSequence() != 5 ||
		!bytes.Contains(panicked.Stack, []byte("client_test.go")) || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("told: %v", err)
	}
	if stats := consumption.Stats(); stats.Thrown != 2 || stats.Acked != 1 || stats.Naked != 3 || stats.Terminated != 1 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestAHandlerThatEndsItsGoroutineNaksAndIsReplaced(t *testing.T) {
	d := newFakeDaemon(t)
	newTestClient(t, d).Consume(background, "orders", func(_ context.Context, m *Message) error {
		if m.StreamSequence() == 1 {
			runtime.Goexit()
		}
		return nil
	})
	stream := d.begin()
	stream.deliver(1, 2)
	same(t, "verdicts", stream.awaitVerdicts(2), "1 nak", "2 ack")
}

func TestAMessageIsDeliveredExactly(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	odd := []byte{0, 255, '\n', 0xC3}
	stream := d.begin()
	stream.deliver(7, 1, func(d *sluicepb.Delivery) {
		d.Subject, d.Data, d.Key = odd, odd, []byte("k")
		d.NumDelivered, d.NumPending, d.ConsumerSequence = 3, 9, 12
		d.Headers = []*sluicepb.Header{{Name: []byte("A"), Value: odd}, {Name: odd, Value: nil}, {Name: []byte("A"), Value: []byte("2")}}
	})
	m := receiveFrom(t, "the message", messages)
	if m.Subject() != string(odd) || !bytes.Equal(m.Data(), odd) || m.Key() != "k" || m.StreamSequence() != 7 ||
		m.ConsumerSequence() != 12 || m.NumDelivered() != 3 || m.NumPending() != 9 || !m.Timestamp().Equal(time.Unix(7, 0)) {
		t.Errorf("it has %q %q %q %d %d %d %d %v", m.Subject(), m.Data(), m.Key(), m.StreamSequence(), m.ConsumerSequence(),
			m.NumDelivered(), m.NumPending(), m.Timestamp())
	}
	same(t, "headers", m.Headers(), Header{"A", string(odd)}, Header{string(odd), ""}, Header{"A", "2"})
	if value, ok := m.Header("A"); value != string(odd) || !ok {
		t.Errorf("the first A is %q, %v", value, ok)
	}
	if _, ok := m.Header("a"); ok {
		t.Error("there is no a")
	}
}

func TestBigPayloadsPass(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	d.begin().deliver(1, 1, func(d *sluicepb.Delivery) { d.Data = make([]byte, 33<<20) })
	if m := receiveFrom(t, "the message", messages); len(m.Data()) != 33<<20 {
		t.Errorf("%d bytes came", len(m.Data()))
	}
}

func TestQuickVerdictsShareRequests(t *testing.T) {
	d := newFakeDaemon(t)
	newTestClient(t, d).Consume(background, "orders", acks)
	stream := d.begin()
	for first := uint64(1); first <= 20*256; first += 256 {
		stream.deliver(first, 256)
	}
	stream.awaitVerdicts(20 * 256)
	if stream.settles > 20*256/8 {
		t.Errorf("%d requests for %d verdicts", stream.settles, 20*256)
	}
}

func TestTheCreditFollowsTheHandlersOfAStream(t *testing.T) {
	d := newFakeDaemon(t)
	newTestClient(t, d).Consume(background, "orders", acks)
	stream := d.begin()
	count := 0
	eventually(t, "more credit", func() bool {
		stream.deliver(uint64(count)+1, 100)
		count += 100
		stream.awaitVerdicts(count)
		stream.mu.Lock()
		defer stream.mu.Unlock()
		return stream.credits[len(stream.credits)-1] > 100
	})
}

// creditOfAKeeper is what an app asks for that keeps three of its messages, more than it has handlers, after a while of
// which each 50 ms say something about it.
func creditOfAKeeper(t *testing.T, change func(*sluicepb.Delivery)) (credit uint32) {
	d := newFakeDaemon(t)
	kept := make(chan *Message, 3)
	handler := func(_ context.Context, m *Message) error {
		if m.StreamSequence() <= 3 {
			kept <- m
		} else {
			m.Ack()
		}
		return nil
	}
	newTestClient(t, d).Consume(background, "orders", handler, WithManual(), WithConcurrency(2))
	stream := d.begin()
	stream.deliver(1, 3, change)
	for next, end := 4, time.Now().Add(300*time.Millisecond); credit <= 8 && time.Now().Before(end); next += 8 {
		stream.deliver(uint64(next), 8, change)
		stream.awaitVerdicts(next + 4)
		stream.change(func() { credit = stream.credits[len(stream.credits)-1] })
	}
	return credit
}

func TestTheCreditDoesNotGrowWhileNoHandlerWaits(t *testing.T) {
	if credit := creditOfAKeeper(t, func(*sluicepb.Delivery) {}); credit != 8 {
		t.Errorf("it is %d", credit)
	}
}

func TestTheCreditGrowsWhereMessagesMayWaitForTheirKey(t *testing.T) {
	if credit := creditOfAKeeper(t, func(d *sluicepb.Delivery) { d.Key = fmt.Append(nil, d.Id) }); credit <= 8 {
		t.Errorf("it is %d", credit)
	}
}

// Each of them waits for all the others.
func TestAsManyHandlersRunAsAsked(t *testing.T) {
	const handlers = 20
	d := newFakeDaemon(t)
	var running atomic.Int32
	all := make(chan struct{})
	newTestClient(t, d).Consume(background, "orders", func(context.Context, *Message) error {
		if running.Add(1) == handlers {
			close(all)
		}
		<-all
		return nil
	}, WithConcurrency(handlers))
	stream := d.begin()
	stream.deliver(1, handlers+5)
	stream.awaitVerdicts(handlers)
}

func TestHandlersOfOneKeyRunOneAfterTheOther(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	newTestClient(t, d).Consume(background, "orders", handler, WithManual(), WithConcurrency(4),
		WithKey(func(m *Message) string {
			if m.StreamSequence() == 4 {
				panic("no key")
			}
			return fmt.Sprint(m.StreamSequence() % 2)
		}))
	stream := d.begin()
	stream.deliver(1, 4)
	first := map[uint64]*Message{}
	for range 3 {
		m := receiveFrom(t, "a message of each key, and that without one", messages)
		first[m.StreamSequence()] = m
	}
	if first[1] == nil || first[2] == nil || first[4] == nil || len(messages) != 0 {
		t.Errorf("they are %v", first)
	}
	first[1].Ack()
	if m := receiveFrom(t, "the second of its key", messages); m.StreamSequence() != 3 {
		t.Errorf("it is %d", m.StreamSequence())
	}
}

func TestABatchIsSettledByWhatItsHandlerReturns(t *testing.T) {
	d := newFakeDaemon(t)
	var sizes []int
	consumption := newTestClient(t, d).ConsumeBatches(background, "orders", func(_ context.Context, batch []*Message) error {
		sizes = append(sizes, len(batch))
		switch batch[0].StreamSequence() {
		case 1:
			batch[1].Term("one of them") // before the others
			return nil
		case 4:
			return errors.New("no connection")
		}
		panic("of a batch")
	}, WithMaxBatch(3))
	stream := d.begin()
	stream.deliver(1, 8)
	same(t, "verdicts", stream.awaitVerdicts(8), "2 term one of them", "1 ack", "3 ack", "4 nak", "5 nak", "6 nak", "7 nak", "8 nak")
	eventually(t, "both failures", func() bool { return consumption.Stats().Thrown == 2 })
	same(t, "sizes", sizes, 3, 3, 2)
}

func TestABatchIsCancelledOnceNobodyWaitsForAnyOfIt(t *testing.T) {
	d := newFakeDaemon(t)
	contexts := make(chan context.Context, 1)
	release := make(chan struct{})
	newTestClient(t, d).ConsumeBatches(background, "orders", func(ctx context.Context, batch []*Message) error {
		batch[0].Ack()
		contexts <- ctx
		<-release
		return nil
	})
	stream := d.begin()
	stream.deliver(1, 3)
	ctx := receiveFrom(t, "the batch", contexts)
	stream.leasesEnded(2)
	stream.state(sluicepb.State_KIND_SERVING, "") // comes after it
	if ctx.Err() != nil {
		t.Error("somebody waits for the third")
	}
	stream.leasesEnded(3)
	receiveFrom(t, "the end of its context", ctx.Done())
	close(release)
}

func TestOnlyTheFirstVerdictCounts(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	stream := d.begin()
	stream.deliver(1, 2)
	m := receiveFrom(t, "the message", messages)
	if !m.Nak(2*time.Second) || m.Ack() || m.Term("") {
		t.Error("another one counted")
	}
	receiveFrom(t, "the message", messages).Ack()
	same(t, "verdicts", stream.awaitVerdicts(2), "1 nak 2000", "2 ack")
}

func TestAManualHandlerThatFailsNaksOnlyWhatHasNoVerdict(t *testing.T) {
	d := newFakeDaemon(t)
	newTestClient(t, d).Consume(background, "orders", func(_ context.Context, m *Message) error {
		if m.StreamSequence() == 1 {
			m.Ack()
		}
		return errors.New("afterwards")
	}, WithManual())
	stream := d.begin()
	stream.deliver(1, 2)
	same(t, "verdicts", stream.awaitVerdicts(2), "1 ack", "2 nak")
}

func TestAMessageThatIsLetGoOfNaks(t *testing.T) {
	d := newFakeDaemon(t)
	newTestClient(t, d).Consume(background, "orders", acks, WithManual())
	stream := d.begin()
	stream.deliver(1, 1)
	eventually(t, "the nak", func() bool {
		runtime.GC()
		stream.mu.Lock()
		defer stream.mu.Unlock()
		return slices.Equal(stream.verdicts, []string{"1 nak"})
	})
}

func TestInProgressIsToldAndNotPiledUp(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	stream := d.begin()
	stream.deliver(1, 1)
	m := receiveFrom(t, "the message", messages)
	before := m.Deadline()
	for range 1000 {
		m.InProgress()
	}
	if !m.Deadline().After(before) {
		t.Error("its lease goes on as before")
	}
	m.Ack()
	m.InProgress()
	told := stream.awaitVerdicts(2)
	stream.await("the ack", func() bool { return stream.verdicts[len(stream.verdicts)-1] == "1 ack" })
	if told[0] != "1 in_progress" || len(stream.verdicts) > 500 {
		t.Errorf("%d were told", len(stream.verdicts))
	}
}

func TestAnEndedLeaseCancelsTheHandler(t *testing.T) {
	d := newFakeDaemon(t)
	started, cause := make(chan struct{}), make(chan error, 1)
	newTestClient(t, d).Consume(background, "orders", func(ctx context.Context, m *Message) error {
		close(started)
		<-ctx.Done()
		cause <- ctx.Err()
		return nil
	})
	stream := d.begin()
	stream.deliver(1, 1)
	receiveFrom(t, "the handler", started)
	stream.leasesEnded(1)
	if err := receiveFrom(t, "the handler's end", cause); err != context.Canceled {
		t.Errorf("it ended with %v", err)
	}
	same(t, "verdicts", stream.awaitVerdicts(1), "1 ack")
}

func TestHandlersHaveTheValuesOfTheContextAndOfTheHook(t *testing.T) {
	d := newFakeDaemon(t)
	type key string
	values := make(chan string, 1)
	ctx := context.WithValue(background, key("a"), "1")
	newTestClient(t, d).Consume(ctx, "orders", func(ctx context.Context, m *Message) error {
		values <- fmt.Sprintf("%v %v %v", ctx.Value(key("a")), ctx.Value(key("b")), m.Context() == ctx)
		return nil
	}, WithMessageContext(func(ctx context.Context, m *Message) context.Context {
		return context.WithValue(ctx, key("b"), m.Subject())
	}))
	d.begin().deliver(1, 1)
	if got := receiveFrom(t, "the handler", values); got != "1 orders.new true" {
		t.Errorf("it has %s", got)
	}
}

func TestOutcomesAreToldWithConfirm(t *testing.T) {
	d := newFakeDaemon(t)
	client := newTestClient(t, d)
	handler, messages := kept()
	errs := make(chan error, 10)
	consumption := client.Consume(background, "orders", handler, WithManual(), WithConfirm(true), WithOnError(func(err error) { errs <- err }))
	stream := d.begin()
	stream.deliver(1, 4)
	outcomes := []sluicepb.SettleResult_Outcome{sluicepb.SettleResult_OUTCOME_CONFIRMED, sluicepb.SettleResult_OUTCOME_LATE,
		sluicepb.SettleResult_OUTCOME_NOT_HELD, sluicepb.SettleResult_OUTCOME_FAILED}
	for i, want := range []Outcome{Confirmed, Late, NotHeld, Failed} {
		m := receiveFrom(t, "the message", messages)
		m.Ack()
		stream.awaitVerdicts(i + 1)
		stream.results(outcomes[i], uint64(i+1))
		if got, err := m.Outcome(background); got != want || err != nil {
			t.Errorf("the outcome is %v, %v; want %v", got, err, want)
		}
		var told *SettleError
		if want != Confirmed && (!errors.As(receiveFrom(t, "the error", errs), &told) || told.Outcome != want || told.Count != 1) {
			t.Errorf("told: %v", told)
		}
	}
	if stats := consumption.Stats(); stats.Late != 1 || stats.NotHeld != 1 || stats.Failed != 1 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestWithoutConfirmOutcomesAreRefused(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	d.begin().deliver(1, 1)
	if _, err := receiveFrom(t, "the message", messages).Outcome(background); err == nil || !strings.Contains(err.Error(), "WithConfirm") {
		t.Errorf("it says %v", err)
	}
}

func TestStatesAreTold(t *testing.T) {
	d := newFakeDaemon(t)
	states := make(chan string, 10)
	consumption := newTestClient(t, d).Consume(background, "orders", acks, WithOnState(func(state State, detail string) {
		states <- strings.TrimSpace(fmt.Sprint(state, " ", detail))
		panic("a hook that fails")
	}))
	stream := d.begin()
	stream.state(sluicepb.State_KIND_SERVING, "")
	stream.state(sluicepb.State_KIND_PINNED_ELSEWHERE, "another pod")
	for _, want := range []string{"CONNECTING", "SERVING", "PINNED_ELSEWHERE another pod"} {
		if got := receiveFrom(t, "a state", states); got != want {
			t.Errorf("told: %s, want %s", got, want)
		}
	}
	if state, detail := consumption.State(); state != PinnedElsewhere || detail != "another pod" {
		t.Errorf("it is %v %s", state, detail)
	}
	consumption.Stop()
	if got := receiveFrom(t, "a state", states); got != "CLOSED" {
		t.Errorf("told: %s", got)
	}
}

func TestAPermanentErrorEndsIt(t *testing.T) {
	for _, code := range []codes.Code{codes.NotFound, codes.InvalidArgument, codes.Unimplemented, codes.PermissionDenied} {
		d := newFakeDaemon(t)
		errs := make(chan error, 1)
		consumption := newTestClient(t, d).Consume(background, "odrers", acks, WithOnError(func(err error) { errs <- err }))
		d.accept().finish(status.Error(code, "known: orders"))
		err := consumption.Wait(background)
		var end *EndError
		if !errors.As(err, &end) || status.Code(err) != code || end.Consumer != "odrers" ||
			!strings.Contains(err.Error(), codeName(code)) || !strings.Contains(err.Error(), "known: orders") {
			t.Errorf("it ended with %v", err)
		}
		if told := receiveFrom(t, "the error", errs); told != err {
			t.Errorf("told: %v", told)
		}
	}
}

func TestCodesAreSpelledAsGRPCDoes(t *testing.T) {
	for code, want := range map[codes.Code]string{codes.OK: "OK", codes.NotFound: "NOT_FOUND", codes.PermissionDenied: "PERMISSION_DENIED"} {
		if got := codeName(code); got != want {
			t.Errorf("%d is spelled %s, want %s", code, got, want)
		}
	}
}

func TestStoppingHandsBackAndDropsLaterVerdicts(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	consumption := newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	stream := d.begin()
	stream.deliver(1, 2)
	receiveFrom(t, "the first message", messages).Ack()
	m := receiveFrom(t, "the second message", messages)
	consumption.Stop()
	stream.await("the half-close", func() bool { return stream.halfClosed })
	receiveFrom(t, "the end of its context", m.Context().Done())
	if !m.Ack() {
		t.Error("it is the first verdict all the same")
	}
	if err := consumption.Err(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	same(t, "verdicts", stream.awaitVerdicts(1), "1 ack")
}

func TestStoppingDoesNotWaitForADaemonThatIsSilent(t *testing.T) {
	d := newFakeDaemon(t)
	d.kill()
	client := newTestClient(t, d)
	absent := client.Consume(background, "orders", acks)
	absent.Stop()
	if err := absent.Err(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAClosedClientStopsAllAndConsumesNoMore(t *testing.T) {
	d := newFakeDaemon(t)
	client := newTestClient(t, d)
	orders, parcels := client.Consume(background, "orders", acks), client.Messages(background, "parcels")
	for range 2 {
		d.begin()
	}
	if err := client.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	<-orders.Done()
	<-parcels.Done()
	if err := client.Consume(background, "orders", acks).Wait(background); err != ErrClosed {
		t.Errorf("it ended with %v", err)
	}
}
