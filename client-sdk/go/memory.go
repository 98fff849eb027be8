package sluice

// given is a verdict that was given, and the message it was for.
type given struct {
	message identity
	id      uint64
	stream  uint32
	verdict verdict
	token   []byte
}

// givenRing is the last verdicts, the oldest first. Part of the ledger.
type givenRing struct {
	capacity int
	entries  []given
	oldest   int // once it is full
}

func (r *givenRing) add(g given) {
	if len(r.entries) < r.capacity {
		r.entries = append(r.entries, g)
		return
	}
	r.entries[r.oldest] = g
	if r.oldest++; r.oldest == r.capacity {
		r.oldest = 0
	}
}

func (r *givenRing) len() int        { return len(r.entries) }
func (r *givenRing) at(i int) *given { return &r.entries[(r.oldest+i)%len(r.entries)] }

// lastOf this message; nil: it is not remembered. Few messages come again, so this looks through all of them.
func (r *givenRing) lastOf(message identity) *given {
	for i := len(r.entries) - 1; i >= 0; i-- {
		if g := r.at(i); g.message == message {
			return g
		}
	}
	return nil
}

// doubts is the verdicts of which JetStream may not know; naks are none of them, as such a message is to be handled
// again. Part of the ledger.
type doubts struct {
	capacity   int
	bySequence map[uint64]doubt
	order      []uint64 // its keys, a ring once it is full
	oldest     int
}

type doubt struct {
	message identity
	verdict verdict
}

func newDoubts(capacity int) doubts {
	return doubts{capacity: capacity, bySequence: map[uint64]doubt{}}
}

func (d *doubts) of(message identity) (verdict, bool) {
	known, ok := d.bySequence[message.sequence]
	return known.verdict, ok && known.message == message
}

func (d *doubts) remember(message identity, v verdict) {
	if v.kind == verdictNak {
		return
	}
	_, known := d.bySequence[message.sequence]
	d.bySequence[message.sequence] = doubt{message, v}
	switch {
	case known:
	case len(d.order) < d.capacity:
		d.order = append(d.order, message.sequence)
	default:
		delete(d.bySequence, d.order[d.oldest])
		d.order[d.oldest] = message.sequence
		d.oldest = (d.oldest + 1) % d.capacity
	}
}
