package sluice

import (
	"sync/atomic"
	"time"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// queued --start--> started   the app has it
//
//	'------drop---> gone      given back, or joined to an earlier delivery, before the app saw it
const (
	placeQueued uint32 = iota
	placeStarted
	placeGone
)

// held is one delivery in the hands of this app, from its frame's arrival until its verdict.
type held struct {
	// Constant after the frame's arrival.
	delivery *sluicepb.Delivery
	frame    *frame
	message  Message // what handlers get
	key      string  // of its lane; "": it has none

	place atomic.Uint32
	ctx   messageContext

	// What its lane waits for: its verdict, and the end of the app's turn with it. Only if it has a lane.
	lane    *lane // guarded by the inbox's mutex once it is shared
	unended atomic.Int32

	// Guarded by the session's mutex.
	settled    bool
	cancelled  bool      // nobody waits for its verdict
	stream     uint32    // ordinal of the stream that knows it by id
	id         uint64    //
	leased     time.Time // from when its lease counts; zero: from its frame's arrival
	progressIn uint64    // ordinal of the request with its last in_progress
	confirming *confirming
	batch      *batch
	rejoined   *sluicepb.Delivery // the token of the attempt that id stands for, where that is not delivery
}

func (h *held) start() bool { return h.place.CompareAndSwap(placeQueued, placeStarted) }
func (h *held) drop() bool  { return h.place.CompareAndSwap(placeQueued, placeGone) }

func (h *held) token() []byte {
	if h.rejoined != nil {
		return h.rejoined.GetToken()
	}
	return h.delivery.GetToken()
}

func (h *held) leasedSince() time.Time {
	if h.leased.IsZero() {
		return h.frame.arrived
	}
	return h.leased
}

func (h *held) identity() identity { return identityOf(h.delivery) }

// identity is JetStream's name for a message. The sequence alone may mean another one after a stream was made anew.
type identity struct {
	sequence uint64
	storedNS int64
}

func identityOf(d *sluicepb.Delivery) identity {
	stored := d.GetTimestamp()
	return identity{d.GetStreamSequence(), stored.GetSeconds()*1_000_000_000 + int64(stored.GetNanos())}
}

// frame is one response with deliveries, and the app's hold on each of them. The ledger lists it until all of them are
// settled.
type frame struct {
	held    []held
	arrived time.Time
	keyed   bool // some message may have to wait for its key

	// Guarded by the session's mutex.
	unsettled int
	position  int // in the ledger's list; -1: not listed
}
