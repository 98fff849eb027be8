package sluice

import (
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// Most ids in one request: about 20 KiB, far below the limits of any server.
const mostIDsInRequest = 4096

type outboxStep uint8

const (
	stepNothing outboxStep = iota
	stepWrite
	stepHalfClose
)

// outbox is what is to be written to one stream, in order. One write is in flight at a time; verdicts queued meanwhile go
// out together in the next, as runs of packed ids. Bounded by the credit: a held message has one verdict, and at most
// one in_progress queued. Guarded by the session's mutex.
type outbox struct {
	queue   []*sluicepb.ConsumeRequest
	back    *sluicepb.Settle    // of the last request, if that is one
	backRun *sluicepb.SettleRun // its last run
	verdict verdict             // of backRun; progress: none
	ids     int                 // in back

	progress bool // backRun is of in_progress

	taken    uint64 // ordinal of the last request that next gave out; ordinals never come twice
	finish   bool   // half-close after what is queued
	finished bool
	closed   bool
}

// open starts a new stream; what is left of the old one is forgotten.
func (o *outbox) open(open *sluicepb.Open) {
	*o = outbox{taken: o.taken + uint64(len(o.queue))}
	o.add(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Open{Open: open}})
}

func (o *outbox) add(request *sluicepb.ConsumeRequest) {
	o.queue = append(o.queue, request)
	o.back, o.backRun, o.ids = nil, nil, 0
}

func (o *outbox) addVerdict(id uint64, v verdict) {
	if o.closed {
		return
	}
	o.makeRoom()
	if o.backRun == nil || o.progress || o.verdict != v {
		o.addRun(runOf(v))
		o.verdict, o.progress = v, false
	}
	o.backRun.Ids = append(o.backRun.Ids, id)
	o.ids++
}

// addInProgress returns the ordinal of the request it goes with; see taken.
func (o *outbox) addInProgress(id uint64) uint64 {
	if o.closed {
		return o.taken
	}
	o.makeRoom()
	if o.backRun == nil || !o.progress {
		o.addRun(&sluicepb.SettleRun{Verdict: &sluicepb.SettleRun_InProgress{InProgress: &sluicepb.InProgress{}}})
		o.progress = true
	}
	o.backRun.Ids = append(o.backRun.Ids, id)
	o.ids++
	return o.taken + uint64(len(o.queue))
}

// makeRoom leaves a request at the back that has room for an id.
func (o *outbox) makeRoom() {
	if o.back != nil && o.ids < mostIDsInRequest {
		return
	}
	settle := &sluicepb.Settle{}
	o.add(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Settle{Settle: settle}})
	o.back = settle
}

func (o *outbox) addRun(run *sluicepb.SettleRun) {
	o.back.Runs = append(o.back.Runs, run)
	o.backRun = run
}

// next is what the caller must do now, outside the mutex.
func (o *outbox) next() (*sluicepb.ConsumeRequest, outboxStep) {
	switch {
	case o.finished || o.closed:
		return nil, stepNothing
	case len(o.queue) > 0:
		request := o.queue[0]
		o.queue[0] = nil
		o.queue = o.queue[1:]
		o.taken++
		if len(o.queue) == 0 {
			o.queue, o.back, o.backRun, o.ids = nil, nil, nil, 0
		}
		return request, stepWrite
	case o.finish:
		o.finished = true
		return nil, stepHalfClose
	}
	return nil, stepNothing
}

func runOf(v verdict) *sluicepb.SettleRun {
	switch v.kind {
	case verdictNak:
		nak := &sluicepb.Nak{}
		if v.delay > 0 {
			nak.Delay = durationpb.New(v.delay)
		}
		return &sluicepb.SettleRun{Verdict: &sluicepb.SettleRun_Nak{Nak: nak}}
	case verdictTerm:
		return &sluicepb.SettleRun{Verdict: &sluicepb.SettleRun_Term{Term: &sluicepb.Term{Reason: v.reason}}}
	default:
		return &sluicepb.SettleRun{Verdict: &sluicepb.SettleRun_Ack{Ack: &sluicepb.Ack{}}}
	}
}
