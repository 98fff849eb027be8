package sluice

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// What a lost stream, or a lost daemon, does to what the app holds.

// holding is an app that keeps what it gets until the test settles it, by stream sequence.
type holding struct {
	*testing.T
	daemon      *fakeDaemon
	consumption *Consumption
	messages    <-chan *Message
	started     map[uint64]*Message
}

func newHolding(t *testing.T) *holding {
	d := newFakeDaemon(t)
	handler, messages := kept()
	consumption := newTestClient(t, d, WithClientID("me")).Consume(background, "orders", handler, WithManual())
	return &holding{t, d, consumption, messages, map[uint64]*Message{}}
}

// message with this stream sequence, once it is with the handler.
func (h *holding) message(sequence uint64) *Message {
	h.Helper()
	for h.started[sequence] == nil {
		m := receiveFrom(h.T, "a message", h.messages)
		h.started[m.StreamSequence()] = m
	}
	return h.started[sequence]
}

func TestItComesBackUnderItsIDNamingWhatItHolds(t *testing.T) {
	h := newHolding(t)
	stream := h.daemon.begin()
	stream.deliver(1, 3)
	h.message(3)
	h.message(1).Ack()
	stream.awaitVerdicts(1)
	stream.finish(errBroken)
	next := h.daemon.accept()
	if next.open.GetClientId() != "me" {
		t.Errorf("it is %q", next.open.GetClientId())
	}
	same(t, "named", sorted(next.resumeIDs()), 1, 2, 3)
}

func TestWhatIsResumedIsSettledOnTheNewStream(t *testing.T) {
	h := newHolding(t)
	stream := h.daemon.begin()
	stream.deliver(1, 2)
	h.message(2)
	stream.finish(errBroken)
	next := h.daemon.accept()
	h.message(1).Ack() // while there is no stream
	next.opened(map[uint64]uint64{1: 1, 2: 102})
	same(t, "told", next.awaitVerdicts(1), "1 ack")
	h.message(2).Nak(0)
	same(t, "told", next.awaitVerdicts(2), "1 ack", "102 nak")
	if stats := h.consumption.Stats(); stats.Streams != 2 || stats.Lost != 0 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestAVerdictThatTheDaemonNeverGotIsSentAgain(t *testing.T) {
	h := newHolding(t)
	stream := h.daemon.begin()
	stream.deliver(1, 2)
	h.message(1).Ack()
	h.message(2).Ack()
	stream.awaitVerdicts(2)
	stream.finish(errBroken)
	next := h.daemon.accept()
	next.opened(map[uint64]uint64{2: 2})
	same(t, "told", next.awaitVerdicts(1), "2 ack")
}

func TestWhatIsNotResumedIsCancelled(t *testing.T) {
	h := newHolding(t)
	stream := h.daemon.begin()
	stream.deliver(1, 2)
	h.message(2)
	stream.finish(errBroken)
	next := h.daemon.accept()
	if h.message(1).Context().Err() != nil {
		t.Error("it was cancelled with the stream, though the next one may resume it")
	}
	next.opened(map[uint64]uint64{2: 2})
	receiveFrom(t, "the end of its context", h.message(1).Context().Done())
	h.message(1).Ack()
	h.message(2).Ack()
	same(t, "told", next.awaitVerdicts(1), "2 ack")
	if h.message(2).Context().Err() != nil {
		t.Error("what was resumed is cancelled too")
	}
}

func TestANewDaemonDeliversAgainAndNothingIsHandledTwice(t *testing.T) {
	h := newHolding(t)
	stream := h.daemon.begin()
	stream.deliver(1, 3)
	running := h.message(3)
	h.message(1).Ack()
	h.message(2).Nak(0)
	stream.awaitVerdicts(2)
	h.daemon.kill() // before it told NATS
	h.daemon.start()
	next := h.daemon.begin()
	next.deliver(1, 3, again)
	same(t, "told without being run", next.awaitVerdicts(1), "501 ack")
	if m := receiveFrom(t, "what was NAKed", h.messages); m.StreamSequence() != 2 {
		t.Errorf("%d is run again", m.StreamSequence())
	}
	running.Ack()
	same(t, "told by the handler that runs", next.awaitVerdicts(2), "501 ack", "503 ack")
	if stats := h.consumption.Stats(); stats.Rejoined != 2 || stats.Received != 4 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestFirstAttemptsAreRunWhateverTheirSequence(t *testing.T) {
	h := newHolding(t)
	stream := h.daemon.begin()
	stream.deliver(1, 1)
	h.message(1).Ack()
	stream.finish(errBroken)
	h.daemon.begin().deliver(1, 1)
	receiveFrom(t, "the message of a stream made anew", h.messages)
}

func TestItKeepsTryingUntilThereIsADaemon(t *testing.T) {
	h := newHolding(t)
	h.daemon.begin()
	h.daemon.kill()
	eventually(t, "its state", func() bool { state, _ := h.consumption.State(); return state == Connecting })
	h.daemon.start()
	for range 3 {
		h.daemon.accept().finish(status.Error(codes.Unavailable, "draining"))
	}
	stream := h.daemon.begin()
	stream.deliver(1, 1)
	h.message(1).Ack()
	stream.awaitVerdicts(1)
}

// Its own waiting time is an hour by now, and yet it does not sit it out.
func TestANewDaemonIsFoundAtOnce(t *testing.T) {
	d := newFakeDaemon(t)
	d.kill()
	s := &session{
		channel: newTestClient(t, d).channel,
		backoff: retryBackoff{first: time.Millisecond, longest: time.Hour, coming: time.Hour},
		nudged:  make(chan struct{}, 1),
		log:     slog.Default(),
	}
	again := make(chan bool, 1)
	go func() { again <- s.awaitRetry(errBroken) }()
	eventually(t, "a failed attempt", func() bool { return s.channel.GetState() == connectivity.TransientFailure })
	if len(again) > 0 {
		t.Fatal("it did not wait")
	}
	d.start()
	if !receiveFrom(t, "the next attempt", again) {
		t.Error("it gave up")
	}
}

// What a drain may have given back is not settled through another daemon; an ack does no harm.
func TestTokensAreBroughtOfWhatNoDaemonGaveBack(t *testing.T) {
	for _, drained := range []bool{false, true} {
		h := newHolding(t)
		stream := h.daemon.begin()
		stream.deliver(1, 2)
		h.message(1).Ack()
		held := h.message(2)
		stream.awaitVerdicts(1)
		if drained {
			stream.draining(sluicepb.Draining_REASON_DAEMON, time.Minute)
			stream.drained(nil)
		} else {
			stream.finish(errBroken)
		}
		tokens := map[uint64]string{}
		for _, named := range h.daemon.accept().open.GetResume() {
			tokens[named.GetId()] = string(named.GetToken())
		}
		want := map[uint64]string{1: "token of 1", 2: "token of 2"}
		if drained {
			want[2] = ""
		}
		if !maps.Equal(tokens, want) {
			t.Errorf("drained %v: it brings %v, want %v", drained, tokens, want)
		}
		held.Ack()
	}
}

// A single handler, busy; the rest waits in the client.
func TestWhatWaitsIsNotStartedWithoutAStream(t *testing.T) {
	d := newFakeDaemon(t)
	started, release := make(chan uint64, 10), make(chan struct{})
	consumption := newTestClient(t, d).Consume(background, "orders", func(_ context.Context, m *Message) error {
		started <- m.StreamSequence()
		if m.StreamSequence() == 1 {
			<-release
		}
		return nil
	})
	stream := d.begin()
	stream.deliver(1, 3)
	receiveFrom(t, "the first", started)
	stream.finish(errBroken)
	next := d.accept() // its Opened has yet to say what became of them
	close(release)
	eventually(t, "the first verdict", func() bool { return consumption.Stats().Acked == 1 })
	next.opened(map[uint64]uint64{3: 3})
	next.awaitVerdicts(1)
	next.deliver(4, 1)
	same(t, "told", next.awaitVerdicts(2), "3 ack", "4 ack")
	same(t, "started", []uint64{<-started, <-started}, 3, 4) // 2 was lost before its turn
}

// Handlers and streams that break at any moment: everything is acked once, on the stream that holds it.
func TestNothingIsLostOrHandledTwiceOverManyStreams(t *testing.T) {
	const streams, messages = 30, 500
	d := newFakeDaemon(t)
	var mu sync.Mutex
	handled := map[uint64]int{}
	newTestClient(t, d).Consume(background, "orders", func(_ context.Context, m *Message) error {
		mu.Lock()
		defer mu.Unlock()
		handled[m.StreamSequence()]++
		return nil
	}, WithConcurrency(4))
	held := map[uint64]bool{}
	for i := range uint64(streams) {
		stream := d.accept()
		resumed := map[uint64]uint64{}
		for _, id := range stream.resumeIDs() {
			if held[id] {
				resumed[id] = id
			}
		}
		clear(held) // what was not named was lost on the way; a real daemon hands it out again
		for id := range resumed {
			held[id] = true
		}
		stream.opened(resumed)
		for n := range uint64(messages) {
			held[i*messages+n+1] = true
		}
		stream.deliver(i*messages+1, messages)
		await := len(held)
		if i < streams-1 {
			await = messages / 2
			stream.awaitVerdicts(await)
			stream.finish(errBroken)
			stream.awaitOver()
		}
		for _, verdict := range stream.awaitVerdicts(await) {
			if id := idOfAck(t, verdict); !held[id] {
				t.Fatalf("%d was not held, or was acked twice", id)
			} else {
				delete(held, id)
			}
		}
	}
	if len(held) > 0 {
		t.Errorf("%d were not acked", len(held))
	}
	mu.Lock()
	defer mu.Unlock()
	for sequence, times := range handled {
		if times != 1 {
			t.Errorf("%d was handled %d times", sequence, times)
		}
	}
}

func idOfAck(t *testing.T, verdict string) uint64 {
	t.Helper()
	var id uint64
	if n, err := fmt.Sscanf(verdict, "%d ack", &id); n != 1 || err != nil {
		t.Fatalf("it is %q", verdict)
	}
	return id
}
