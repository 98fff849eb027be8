package sluice

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// chunk is a part of the inbox from which any number of goroutines claim without a lock, so that none waits behind a
// slow neighbour.
type chunk struct {
	held []*held
	next atomic.Int64 // the first that is not claimed
}

func (c *chunk) claim() *held {
	for c.next.Load() < int64(len(c.held)) {
		if i := c.next.Add(1) - 1; i < int64(len(c.held)) {
			return c.held[i]
		}
	}
	return nil
}

func (c *chunk) exhausted() bool { return c.next.Load() >= int64(len(c.held)) }

// place is where a goroutine takes its messages from: the chunk it took the last one of.
type place struct{ chunk *chunk }

// left is about how many it may still take there.
func (p *place) left() int {
	if p.chunk == nil {
		return 0
	}
	return max(0, len(p.chunk.held)-int(p.chunk.next.Load()))
}

// inbox is what waits for a handler, in the order of arrival; bounded by the credit. The stream pushes frames, any number
// of goroutines take messages. Of each key it gives out one at a time.
type inbox struct {
	halted atomic.Bool // paused or closed; written with mu
	due    atomic.Bool // a lane has something ready; written with mu

	mu     sync.Mutex
	chunks []*chunk
	lanes  lanes
	closed bool

	wake chan struct{} // one token: there may be something for a reader
	done chan struct{} // closed with the inbox
}

var errInboxClosed = errors.New("closed")

func newInbox() *inbox {
	b := &inbox{wake: make(chan struct{}, 1), done: make(chan struct{}), lanes: lanes{}}
	b.halted.Store(true)
	return b
}

// push takes what of the frame still waits.
func (b *inbox) push(f *frame) {
	c := &chunk{held: make([]*held, 0, len(f.held))}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	for i := range f.held {
		h := &f.held[i]
		if h.place.Load() != placeQueued {
			continue
		}
		if h.key == "" || b.lanes.enter(h) {
			c.held = append(c.held, h)
		}
	}
	if len(c.held) > 0 {
		b.chunks = append(b.chunks, c)
		b.signal()
	}
}

// next is the next message; waits for one. errInboxClosed: there will be none; else the context's error.
func (b *inbox) next(ctx context.Context, p *place) (*held, error) {
	for {
		if h := b.try(p); h != nil {
			return h, nil
		}
		p.chunk = nil // before waiting: it may be the last hold on a large payload
		select {
		case <-b.wake:
		case <-b.done:
			return nil, errInboxClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try is the next message if one is there.
func (b *inbox) try(p *place) *held {
	for {
		if b.halted.Load() {
			return nil
		}
		var h *held
		if !b.due.Load() && p.chunk != nil {
			h = p.chunk.claim()
		}
		if h == nil {
			if h = b.front(p); h == nil {
				return nil
			}
		}
		if h.start() {
			if h.lane != nil {
				h.unended.Store(2)
			}
			return h
		}
		b.leave(h) // it was dropped while it waited
	}
}

// front claims from the lanes, or from the first chunk that has something, which is the caller's place from then on.
func (b *inbox) front(p *place) *held {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.halted.Load() {
		return nil
	}
	h := b.lanes.takeDue()
	b.due.Store(len(b.lanes.due) > 0)
	for h == nil && len(b.chunks) > 0 {
		if h = b.chunks[0].claim(); h != nil {
			p.chunk = b.chunks[0]
		}
		if b.chunks[0].exhausted() {
			_, b.chunks = shift(b.chunks)
		}
	}
	if len(b.chunks) > 0 || b.due.Load() {
		b.signal() // one wakes the next as long as there is something for it
	}
	return h
}

// leave: the lane of this message may go on.
func (b *inbox) leave(h *held) {
	if h.lane == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lanes.leave(h) {
		b.due.Store(true)
		b.signal()
	}
}

// pause: between streams nothing new is started, as the daemon may have handed it to another app.
func (b *inbox) pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halted.Store(true)
}

func (b *inbox) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.halted.Store(false)
		b.signal()
	}
}

// close lets go of everything and ends the readers. For good.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.halted.Store(true)
	b.chunks, b.lanes = nil, lanes{}
	close(b.done)
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
