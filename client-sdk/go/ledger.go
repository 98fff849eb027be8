package sluice

import (
	"slices"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// settlement is a verdict that the daemon has to be told.
type settlement struct {
	id      uint64
	verdict verdict
}

// ledger is what this app owes, and what it has settled without knowing that it arrived: all that keeps a message from
// being handled twice when a stream or its daemon goes. No goroutines, no I/O; guarded by the session's mutex.
//
// A stream that is opened answers which of the messages it still holds:
//
//	held, resumed       goes on under its new id
//	held, not resumed   lost: dropped if no handler has it yet, else an orphan, whose verdict nobody waits for
//	settled, resumed    its verdict got lost on the way: sent again, and in doubt as well
//	settled, not        the verdict arrived, or its daemon died with it: in doubt
//
// JetStream delivers an orphan, or one in doubt whose ack it never saw, once more; and what crossed with its ack. If that
// comes to this app, the orphan's handler goes on for the new attempt, and the verdict that was given is given again.
type ledger struct {
	stream    uint32 // ordinal of the last opened stream; 0: none
	connected bool
	closed    bool
	stats     Stats

	frames   []*frame         // in no order
	orphans  map[uint64]*held // by stream sequence; cancelled, with a handler
	given    givenRing        // the last verdicts
	doubts   doubts
	awaiting map[uint64]*held // by id: whose results are due; nil without confirm
}

// newLedger: credit is the most messages held at once; remembered the most verdicts kept, recent and in doubt each.
func newLedger(credit uint32, remembered int, confirm bool) ledger {
	capacity := max(int(credit), remembered)
	l := ledger{orphans: map[uint64]*held{}, given: givenRing{capacity: capacity}, doubts: newDoubts(capacity)}
	if confirm {
		l.awaiting = map[uint64]*held{}
	}
	return l
}

// accept takes a frame of the current stream. What of it was handled already is dropped.
func (l *ledger) accept(f *frame) (toTell []settlement) {
	f.unsettled = len(f.held)
	for i := range f.held {
		h := &f.held[i]
		h.id = h.delivery.GetId()
		h.stream = l.stream
		if h.delivery.GetNumDelivered() > 1 {
			if again, rejoined := l.rejoin(h); rejoined {
				toTell = append(toTell, again...)
				h.drop()
				h.settled = true
				f.unsettled--
				l.stats.Rejoined++
				continue
			}
		}
		l.stats.Received++
		l.stats.InFlight++
	}
	f.position = -1
	if f.unsettled > 0 {
		f.position = len(l.frames)
		l.frames = append(l.frames, f)
	}
	return toTell
}

// rejoin is true if an orphan or an earlier verdict answers for this new attempt.
func (l *ledger) rejoin(h *held) (toTell []settlement, rejoined bool) {
	message := h.identity()
	if orphan := l.orphans[message.sequence]; orphan != nil && orphan.identity() == message {
		// A lease that ended on this same stream: the daemon still counts the old id against the credit. It suppresses
		// a nak that is late.
		if orphan.stream == l.stream {
			toTell = append(toTell, settlement{orphan.id, nak(0)})
		}
		orphan.id, orphan.stream = h.id, l.stream
		orphan.rejoined = &sluicepb.Delivery{Token: h.delivery.GetToken()} // not its payload
		orphan.leased = h.leasedSince()
		orphan.cancelled = false
		delete(l.orphans, message.sequence)
		return toTell, true
	}
	if v, known := l.standing(message); known {
		l.given.add(given{message, h.id, l.stream, v, h.token()})
		return []settlement{{h.id, v}}, true
	}
	return nil, false
}

// standing is a verdict that was given on this message, and still stands: never a nak, as it is to be handled again.
func (l *ledger) standing(message identity) (verdict, bool) {
	if v, known := l.doubts.of(message); known {
		return v, true
	}
	last := l.given.lastOf(message)
	if last == nil || last.verdict.kind == verdictNak {
		return verdict{}, false
	}
	return last.verdict, true
}

// settle enters the app's verdict, the first for this message. tell: the daemon must be told it for id; else it must
// not, or cannot now, and is told once a stream has resumed it.
func (l *ledger) settle(h *held, v verdict) (id uint64, tell bool) {
	l.end(h)
	l.count(v)
	message := h.identity()
	if h.cancelled {
		if l.orphans[message.sequence] == h {
			delete(l.orphans, message.sequence)
		}
		l.doubts.remember(message, v)
	}
	if h.stream != l.stream {
		l.resolve(h, NotHeld)
		return 0, false
	}
	l.given.add(given{message, h.id, h.stream, v, h.token()})
	l.awaitResult(h)
	return h.id, l.connected
}

// end: it has its verdict, or needs none.
func (l *ledger) end(h *held) {
	h.settled = true
	h.leaveBatch()
	l.stats.InFlight--
	f := h.frame
	f.unsettled--
	if f.unsettled > 0 || f.position < 0 {
		return
	}
	last := l.frames[len(l.frames)-1]
	l.frames[f.position] = last
	last.position = f.position
	l.frames[len(l.frames)-1] = nil
	l.frames = l.frames[:len(l.frames)-1]
	f.position = -1
}

func (l *ledger) count(v verdict) {
	switch v.kind {
	case verdictAck:
		l.stats.Acked++
	case verdictNak:
		l.stats.Naked++
	case verdictTerm:
		l.stats.Terminated++
	}
}

// eachHeld calls visit for what has no verdict. visit may end it.
func (l *ledger) eachHeld(visit func(*held)) {
	for _, f := range slices.Clone(l.frames) {
		for i := range f.held {
			if h := &f.held[i]; !h.settled {
				visit(h)
			}
		}
	}
}

// live is how many messages the daemon counts against the credit.
func (l *ledger) live() (n uint32) {
	l.eachHeld(func(h *held) {
		if h.stream == l.stream && !h.cancelled {
			n++
		}
	})
	return n
}

// nameHeld fills Open.resume with what is held, then the last verdicts, the newest first, as far as it fits into a
// request. With a token goes what may be settled through another daemon process: acks always, as they do no harm; what
// has no verdict, and terms, only if they are kept, that is, no daemon can have given them back; naks never, as a second
// one could take the message from its new holder.
func (l *ledger) nameHeld(kept bool, open *sluicepb.Open) {
	const (
		most      = 1 << 20  // of Open.resume
		mostBytes = 12 << 20 // a request has at most 16 MiB
		idBytes   = 16       // of an entry, beside its token
	)
	bytes := 0
	name := func(id uint64, token []byte) {
		bytes += idBytes + len(token)
		if len(open.Resume) < most && bytes <= mostBytes {
			open.Resume = append(open.Resume, &sluicepb.Held{Id: id, Token: token})
		}
	}
	l.eachHeld(func(h *held) {
		if h.stream != l.stream {
			return
		}
		var token []byte
		if kept {
			token = h.token()
		}
		name(h.id, token)
	})
	for i := l.given.len() - 1; i >= 0; i-- {
		g := l.given.at(i)
		if g.stream != l.stream {
			continue
		}
		var token []byte
		if g.verdict.kind == verdictAck || g.verdict.kind == verdictTerm && kept {
			token = g.token
		}
		name(g.id, token)
	}
}

// opened: a new stream knows resumed, old id -> new id.
func (l *ledger) opened(resumed map[uint64]uint64) (toTell []settlement) {
	previous := l.stream
	l.stream++
	l.connected = true
	l.stats.Streams++
	l.renameAwaited(resumed)
	for i := range l.given.len() {
		g := l.given.at(i)
		if g.stream != previous {
			continue
		}
		if id, ok := resumed[g.id]; ok {
			g.id, g.stream = id, l.stream
			toTell = append(toTell, settlement{id, g.verdict})
		}
		l.doubts.remember(g.message, g.verdict) // it may already be on its way to us again
	}
	l.eachHeld(func(h *held) {
		if h.stream != previous {
			return
		}
		if id, ok := resumed[h.id]; ok {
			h.id, h.stream = id, l.stream
			return
		}
		l.stats.Lost++
		l.lose(h)
	})
	return toTell
}

func (l *ledger) streamEnded() { l.connected = false }

// leasesEnded: the daemon has let the leases of these ids go. What no handler has yet is given back, the rest is
// cancelled.
func (l *ledger) leasesEnded(ids []uint64) (toTell []settlement) {
	ended := make(map[uint64]struct{}, len(ids))
	for _, id := range ids {
		ended[id] = struct{}{}
	}
	l.eachHeld(func(h *held) {
		if _, ok := ended[h.id]; ok && h.stream == l.stream && l.lose(h) {
			toTell = append(toTell, settlement{h.id, nak(0)})
		}
	})
	return toTell
}

// handBack gives back what no handler has yet.
func (l *ledger) handBack() (toTell []settlement) {
	l.eachHeld(func(h *held) {
		if !h.drop() {
			return
		}
		if id, tell := l.settle(h, nak(0)); tell {
			toTell = append(toTell, settlement{id, nak(0)})
		}
	})
	slices.SortFunc(toTell, func(a, b settlement) int { return int(int64(a.id) - int64(b.id)) })
	return toTell
}

// expire: nobody waits any more for what the current stream knows; the daemon has given it back.
func (l *ledger) expire() {
	l.eachHeld(func(h *held) {
		if h.stream == l.stream {
			l.lose(h)
		}
	})
}

// close: nothing will be told any more.
func (l *ledger) close() {
	l.connected, l.closed = false, true
	l.eachHeld(func(h *held) { l.lose(h) })
	for id, h := range l.awaiting {
		delete(l.awaiting, id)
		h.confirming.resolve(Failed)
	}
}

// lose: its lease is over. True if it was dropped, as no handler had it.
func (l *ledger) lose(h *held) bool {
	if h.drop() {
		l.end(h)
		return true
	}
	h.cancelled = true
	h.ctx.cancel()
	h.leaveBatch()
	l.orphans[h.delivery.GetStreamSequence()] = h
	return false
}
