package sluice

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// framed is messages with these keys; their ids are from first on.
func framed(first uint64, keys ...string) *frame {
	var deliveries []delivered
	for i := range keys {
		deliveries = append(deliveries, delivered{id: first + uint64(i), sequence: first + uint64(i)})
	}
	f := frameOf(deliveries...)
	for i, key := range keys {
		f.held[i].key = key
	}
	return f
}

func newOpenInbox() *inbox {
	b := newInbox()
	b.resume()
	return b
}

// takeNow is what can be taken without waiting.
func takeNow(b *inbox) (taken []*held, ids []uint64) {
	var p place
	for h := b.try(&p); h != nil; h = b.try(&p) {
		taken = append(taken, h)
		ids = append(ids, h.delivery.GetId())
	}
	return taken, ids
}

// endTurn is the verdict and the end of the app's turn.
func endTurn(b *inbox, h *held) {
	for range 2 {
		if h.lane != nil && h.unended.Add(-1) == 0 {
			b.leave(h)
		}
	}
}

func TestTheInboxKeepsTheOrderOfArrival(t *testing.T) {
	b := newOpenInbox()
	b.push(framed(1, "", "", ""))
	b.push(framed(4, "", ""))
	_, ids := takeNow(b)
	same(t, "taken", ids, 1, 2, 3, 4, 5)
}

func TestOfEachKeyOneIsOut(t *testing.T) {
	b := newOpenInbox()
	b.push(framed(1, "a", "a", "b", "", "a", "b"))
	first, ids := takeNow(b)
	same(t, "taken", ids, 1, 3, 4)
	endTurn(b, first[0])
	second, ids := takeNow(b)
	same(t, "after the first of a", ids, 2)
	endTurn(b, first[1])
	endTurn(b, second[0])
	third, ids := takeNow(b)
	same(t, "after the first of b and the second of a", ids, 6, 5)
	for _, h := range third {
		endTurn(b, h)
	}
	if len(b.lanes.byKey) != 0 {
		t.Errorf("%d lanes are left", len(b.lanes.byKey))
	}
}

func TestALaneGoesOnOnlyAfterBothTheVerdictAndTheTurn(t *testing.T) {
	b := newOpenInbox()
	b.push(framed(1, "a", "a"))
	first, _ := takeNow(b)
	s := &session{inbox: b}
	s.endPart(first[0])
	_, ids := takeNow(b)
	same(t, "after one of them", ids)
	s.endPart(first[0])
	_, ids = takeNow(b)
	same(t, "after both", ids, 2)
}

func TestWhatIsDroppedHoldsUpNobody(t *testing.T) {
	b := newOpenInbox()
	f := framed(1, "a", "a", "a", "")
	b.push(f)
	f.held[0].drop() // has its turn
	f.held[1].drop() // waits
	_, ids := takeNow(b)
	same(t, "taken", ids, 3, 4)
}

func TestAPausedInboxGivesNothing(t *testing.T) {
	b := newOpenInbox()
	b.push(framed(1, "", "a", ""))
	var p place
	b.try(&p)
	b.pause()
	if h := b.try(&p); h != nil {
		t.Errorf("it gave %d", h.delivery.GetId())
	}
	b.resume()
	_, ids := takeNow(b)
	same(t, "taken after it was resumed", ids, 2, 3)
}

func TestAClosedInboxEndsItsReaders(t *testing.T) {
	b := newOpenInbox()
	ended := make(chan error, 2)
	for range cap(ended) {
		go func() {
			_, err := b.next(context.Background(), &place{})
			ended <- err
		}()
	}
	b.close()
	b.close()
	b.push(framed(1, ""))
	b.resume()
	for range cap(ended) {
		if err := <-ended; err != errInboxClosed {
			t.Errorf("a reader ended with %v", err)
		}
	}
	if _, ids := takeNow(b); len(ids) > 0 {
		t.Errorf("it gave %v", ids)
	}
}

func TestAReaderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := newOpenInbox().next(ctx, &place{}); err != context.DeadlineExceeded {
		t.Errorf("it ended with %v", err)
	}
}

// Readers at once, frames with and without keys: each message once, of each key one at a time and in order.
func TestManyReadersTakeEachMessageOnceAndKeysInOrder(t *testing.T) {
	const messages, readers = 20_000, 8
	keys := []string{"", "a", "b", "c"}
	b := newOpenInbox()
	var mu sync.Mutex
	last, out, taken := map[string]uint64{}, map[string]int{}, 0
	var done sync.WaitGroup
	for range readers {
		done.Go(func() {
			var p place
			for {
				h, err := b.next(context.Background(), &p)
				if err != nil {
					return
				}
				mu.Lock()
				id := h.delivery.GetId()
				if h.key != "" && (id < last[h.key] || out[h.key] > 0) {
					t.Errorf("of %s came %d after %d, while %d are out", h.key, id, last[h.key], out[h.key])
				}
				last[h.key] = id
				out[h.key]++
				mu.Unlock()
				mu.Lock()
				out[h.key]--
				if taken++; taken == messages {
					b.close()
				}
				mu.Unlock()
				endTurn(b, h)
			}
		})
	}
	for first := 1; first <= messages; {
		size := min(1+rand.IntN(256), messages-first+1)
		frame := make([]string, size)
		for i := range frame {
			frame[i] = keys[rand.IntN(len(keys))]
		}
		b.push(framed(uint64(first), frame...))
		first += size
	}
	done.Wait()
	if taken != messages {
		t.Errorf("%d of %d were taken", taken, messages)
	}
}
