package sluice

import (
	"time"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// State is what stands between the app and its messages.
type State uint8

const (
	Connecting      State = iota // no stream to the daemon; retried for ever
	Serving                      // all is well
	NATSDown                     // the daemon is not connected to NATS: work on, verdicts are kept
	ConsumerMissing              // the stream or consumer does not exist; the daemon retries
	ConsumerInvalid              // it exists, but not as configured
	Paused                       // paused on the server
	PinnedElsewhere              // another pod of the fleet is active, this one stands by
	Probing                      // the apps failed too often in a row: one message at a time until one is acked
	Closed                       // ended
)

var stateNames = [...]string{"CONNECTING", "SERVING", "NATS_DOWN", "CONSUMER_MISSING", "CONSUMER_INVALID", "PAUSED",
	"PINNED_ELSEWHERE", "PROBING", "CLOSED"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "UNKNOWN"
}

func stateOf(kind sluicepb.State_Kind) State {
	switch kind {
	case sluicepb.State_KIND_NATS_DOWN:
		return NATSDown
	case sluicepb.State_KIND_CONSUMER_MISSING:
		return ConsumerMissing
	case sluicepb.State_KIND_CONSUMER_INVALID:
		return ConsumerInvalid
	case sluicepb.State_KIND_PAUSED:
		return Paused
	case sluicepb.State_KIND_PINNED_ELSEWHERE:
		return PinnedElsewhere
	case sluicepb.State_KIND_PROBING:
		return Probing
	default:
		return Serving
	}
}

// Draining tells that no more messages come.
type Draining struct {
	// ByDaemon: it ends, and the client then looks for its successor. False: this app asked for it.
	ByDaemon bool
	// Deadline until which verdicts count; zero: the daemon told none.
	Deadline time.Time
}

// DrainReport is what became of the messages that were outstanding when a drain began; see sluice.v1.DrainReport. A
// sum, where several consumptions were awaited together.
type DrainReport struct {
	// Completed: the daemon has confirmed the drain. False: it was lost, or silent, and the counts are 0.
	Completed        bool
	DeadlineExceeded bool   // messages were still held at the deadline, and were NAKed
	Awaited          uint64 // held when the drain began
	Acked            uint64 // of those: acked
	Terminated       uint64 // of those: terminated
	Naked            uint64 // of those: NAKed, by the app, or by the daemon at the deadline
	Expired          uint64 // of those: their lease had ended
	Late             uint64 // verdicts that came after their lease had ended
	Released         uint64 // no app had seen them: NAKed at once
	Unsettled        uint64 // could not be settled: they wait for the ack wait
	DeadLettered     uint64 // of those awaited: set aside as dead letters
	Phases           []Phase
}

// Phase of a drain: QUIESCING FENCING RELEASING SETTLING CONFIRMING.
type Phase struct {
	Name     string
	Duration time.Duration
}

func reportOf(r *sluicepb.DrainReport) DrainReport {
	report := DrainReport{
		Completed:        true,
		DeadlineExceeded: r.GetDeadlineExceeded(),
		Awaited:          r.GetAwaited(),
		Acked:            r.GetAcked(),
		Terminated:       r.GetTerminated(),
		Naked:            r.GetNaked(),
		Expired:          r.GetExpired(),
		Late:             r.GetLate(),
		Released:         r.GetReleased(),
		Unsettled:        r.GetUnsettled(),
		DeadLettered:     r.GetDeadLettered(),
	}
	for _, p := range r.GetPhases() {
		report.Phases = append(report.Phases, Phase{p.GetPhase(), p.GetDuration().AsDuration()})
	}
	return report
}

// and is the report of both together; a phase lasts as long as the slower one's.
func (r DrainReport) and(other DrainReport) DrainReport {
	r.Completed = r.Completed && other.Completed
	r.DeadlineExceeded = r.DeadlineExceeded || other.DeadlineExceeded
	r.Awaited += other.Awaited
	r.Acked += other.Acked
	r.Terminated += other.Terminated
	r.Naked += other.Naked
	r.Expired += other.Expired
	r.Late += other.Late
	r.Released += other.Released
	r.Unsettled += other.Unsettled
	r.DeadLettered += other.DeadLettered
	for _, p := range other.Phases {
		r.Phases = addPhase(r.Phases, p)
	}
	return r
}

func addPhase(phases []Phase, p Phase) []Phase {
	for i := range phases {
		if phases[i].Name == p.Name {
			phases[i].Duration = max(phases[i].Duration, p.Duration)
			return phases
		}
	}
	return append(phases, p)
}

// Stats are counts since the consumption began.
type Stats struct {
	Received   uint64 // messages delivered, without those that rejoined a running handler
	Acked      uint64 // verdicts given, whether or not they could still be sent
	Naked      uint64
	Terminated uint64
	Thrown     uint64 // handlers that failed: returned an error or panicked; their messages are in Naked
	InFlight   uint64 // received and not settled yet
	Streams    uint64 // opened so far: 1 + reconnects
	Lost       uint64 // held when their stream was lost, and not resumed
	Refused    uint64 // tokens a daemon did not take, as their message was settled or is with another app
	Rejoined   uint64 // delivered again while at work or after their verdict: not handled twice
	Late       uint64 // verdicts the daemon got after the lease had ended
	NotHeld    uint64 // verdicts the daemon knew no message for
	Failed     uint64 // verdicts that could not be confirmed
}

func (s Stats) verdicts() uint64 { return s.Acked + s.Naked + s.Terminated }
