// Package integration has the SDK at the real daemon and a real nats-server. What every SDK does is tested by
// test/conformance; here is what is Go's own.
package integration

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
	"github.com/sluice-sidecar/sluice/client-sdk/go/integration/world"
)

var background = context.Background()

func newClient(t *testing.T, w *world.World) *sluice.Client {
	t.Helper()
	client, err := sluice.NewClient(sluice.WithAddress(w.Address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func publish(w *world.World, count int) {
	for range count {
		w.Publish("orders.new", []byte("an order"), nil)
	}
}

// handled counts by stream sequence.
type handled struct {
	mu    sync.Mutex
	times map[uint64]int
}

func (h *handled) add(m *sluice.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times == nil {
		h.times = map[uint64]int{}
	}
	h.times[m.StreamSequence()]++
}

func (h *handled) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.times)
}

func (h *handled) expectOnceEach(t *testing.T, count int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.times) != count {
		t.Errorf("%d of %d were handled", len(h.times), count)
	}
	for sequence, times := range h.times {
		if times != 1 {
			t.Errorf("%d was handled %d times", sequence, times)
		}
	}
}

func TestBatchesAreSettledOnTheServer(t *testing.T) {
	const count = 500
	w := world.New(t)
	var h handled
	consumption := newClient(t, w).ConsumeBatches(background, world.Consumer, func(_ context.Context, batch []*sluice.Message) error {
		for _, m := range batch {
			h.add(m)
		}
		return nil
	}, sluice.WithConcurrency(2))
	publish(w, count)
	w.AwaitSettled()
	report, err := consumption.Drain(background, 10*time.Second)
	if err != nil || !report.Completed {
		t.Errorf("the drain returned %+v, %v", report, err)
	}
	h.expectOnceEach(t, count)
}

func TestADaemonThatIsKilledUnderLoadIsOutlived(t *testing.T) {
	const count = 400
	w := world.New(t)
	publish(w, count)
	var h handled
	consumption := newClient(t, w).Consume(background, world.Consumer, func(_ context.Context, m *sluice.Message) error {
		h.add(m)
		time.Sleep(5 * time.Millisecond)
		return nil
	}, sluice.WithConcurrency(4))
	for _, soFar := range []int{50, 150, 250} {
		world.Eventually(t, "some of them", func() bool { return h.count() >= soFar })
		w.KillDaemon()
		w.StartDaemon()
	}
	// What was on its way to the app at a kill waits for its ack wait; all that the app had does not.
	world.Eventually(t, "a successor", func() bool { return consumption.Stats().Streams == 4 })
	world.Eventually(t, "the rest", func() bool { return h.count() == count })
	w.AwaitSettled()
	h.expectOnceEach(t, count)
}

func TestLoopsAndFetchesShareAConsumer(t *testing.T) {
	const count = 100
	w := world.New(t)
	publish(w, count)
	client := newClient(t, w)
	var h handled
	fetched, err := client.Fetcher(background, world.Consumer).Fetch(background, 10, 10*time.Second)
	if err != nil || len(fetched) == 0 || len(fetched) > 10 {
		t.Fatalf("%d were fetched, %v", len(fetched), err)
	}
	for _, m := range fetched {
		h.add(m)
		m.Ack()
	}
	messages := client.Messages(background, world.Consumer, sluice.WithConfirm(true))
	for m, err := range messages.All(background) {
		if err != nil {
			t.Fatal(err)
		}
		h.add(m)
		m.Ack()
		if outcome, err := m.Outcome(background); outcome != sluice.Confirmed || err != nil {
			t.Errorf("message %d: %v, %v", m.StreamSequence(), outcome, err)
		}
		if h.count() == count {
			messages.StartDrain(0)
		}
	}
	w.AwaitSettled()
	h.expectOnceEach(t, count)
}

func TestAnUnknownConsumerIsToldWithTheKnownOnes(t *testing.T) {
	w := world.New(t)
	err := newClient(t, w).Consume(background, "odrers", func(context.Context, *sluice.Message) error { return nil }).Wait(background)
	var end *sluice.EndError
	if !errors.As(err, &end) || status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), world.Consumer) {
		t.Errorf("it ended with %v", err)
	}
}
