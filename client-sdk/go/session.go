package sluice

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

const (
	// A daemon that has not answered Opened by then is taken for hung.
	openTimeout = 10 * time.Second
	// Beyond what a drain may take by its own deadline: the daemon's final phases and the way back.
	drainGrace = 5 * time.Second
	// For a drain without a timeout of its own, until Draining tells the daemon's.
	drainDefault = 60 * time.Second
	// How long after its deadline a drain that has not ended is taken for over by the handlers.
	drainPatience = time.Second
	stopTimeout   = 5 * time.Second
	// The daemon's default: it has given everything back by then, so a drain has nothing left to wait for.
	resumeWindow = 5 * time.Second
	// A stream that lasted this long was a good one: the next is tried without waiting.
	lived   = time.Second
	forever = 365 * 24 * time.Hour
)

// wish is what the app wants; it only ever grows.
type wish uint8

const (
	wishServe wish = iota
	wishDrain
	wishStop
)

// session is one consumption over all its streams.
//
//	CONNECTING --Opened--> OPEN ---(stream ends)---> CONNECTING, after a backoff
//	                         '---(the app's drain is over, stop, a permanent error)---> closed
//
// Its own goroutine, in run, opens the streams and steers them by what the app wants; of each stream one goroutine
// receives, and hands deliveries to the inbox, and one sends what is in the outbox. Verdicts come from the app's
// goroutines.
type session struct {
	// Constant after construction.
	consumer string
	clientID string
	address  string
	options  options
	channel  *grpc.ClientConn
	stub     sluicepb.ConsumerServiceClient
	log      *slog.Logger
	values   context.Context // of the messages' contexts
	inbox    *inbox
	byLoop   bool // the app takes messages in loops or fetches of its own, not by handlers
	onDemand bool // credit is given by fetches only

	nudged  chan struct{} // one token: run has to look again
	toWrite chan struct{} // one token: the sender has to look again
	closed  chan struct{} // closed at the end

	backoff retryBackoff // run only

	mu           sync.Mutex // guards all below; taken before the inbox's; never held while calling out
	credit       creditWindow
	demand       uint32 // on demand: how much is wanted beyond what is held
	ledger       ledger
	outbox       outbox
	senderIdle   bool // it waits for toWrite
	wish         wish
	drainTimeout time.Duration // 0: the daemon's; negative: none
	report       DrainReport
	state        State
	detail       string
	stateTold    bool
	end          error
	loops        int // of the app, that take messages now

	// The current stream.
	followed      wish // what it has been told
	giveUp        time.Time
	maxLease      time.Duration // 0: not told
	drainDeadline time.Time     // zero: none
	deadlineTimer *time.Timer
	drained       bool // the daemon has given back what was left
	connectedAt   time.Time
	lastConnected time.Time
}

func (s *session) run() {
	s.tellState(Connecting, "")
	var err error
	for {
		err = s.runStream()
		if s.isLast(err) || !s.awaitRetry(err) {
			break
		}
	}
	s.close(err)
}

// runStream is one stream from its opening to its end.
func (s *session) runStream() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.begin()
	ended := make(chan error, 1)
	go func() { ended <- s.stream(ctx) }()
	return s.steer(cancel, ended)
}

func (s *session) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := &sluicepb.Open{
		Consumer:           s.consumer,
		ClientId:           s.clientID,
		MaxBatch:           s.options.maxBatch,
		Credit:             s.creditWanted(),
		Resumable:          s.options.resumable,
		ConfirmSettlements: s.options.confirm,
	}
	s.ledger.nameHeld(s.stillKept(), open)
	s.outbox.open(open)
	s.senderIdle = false
	s.followed = wishServe
	s.drained = false
	s.drainDeadline, s.connectedAt = time.Time{}, time.Time{}
	s.giveUp = time.Now().Add(openTimeout)
}

// stillKept: a daemon that died since can have given back nothing of what the last stream held: not by the end of a
// drain, and not by the end of its resume window. With the mutex.
func (s *session) stillKept() bool {
	byDrain := s.drained || (!s.drainDeadline.IsZero() && !time.Now().Before(s.drainDeadline))
	return !byDrain && time.Since(s.lastConnected) < resumeWindow
}

// creditWanted, with the mutex.
func (s *session) creditWanted() *sluicepb.Credit {
	credit := &sluicepb.Credit{Bytes: s.options.creditBytes}
	switch {
	case s.wish != wishServe:
	case !s.onDemand:
		credit.Messages = s.credit.messages
	case s.demand > 0:
		credit.Messages = s.ledger.live() + s.demand
	}
	return credit
}

// steer does what the app wants and what time demands, until the stream has ended.
func (s *session) steer(cancel func(), ended <-chan error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.mu.Lock()
		if s.wish > s.followed {
			s.followWish()
		}
		if !time.Now().Before(s.giveUp) {
			s.giveUp = time.Now().Add(forever)
			if s.wish == wishDrain {
				s.wish = wishStop // the drain has had its time
			}
			cancel()
		}
		timer.Reset(time.Until(s.giveUp))
		s.mu.Unlock()
		select {
		case err := <-ended:
			return err
		case <-s.nudged:
		case <-timer.C:
		}
	}
}

// followWish tells the daemon what the app wants now, with the mutex. A drain waits for Opened, which comes back to it.
func (s *session) followWish() {
	s.followed = s.wish
	switch {
	case s.wish == wishStop:
		s.outbox.finish = true
		s.giveUp = time.Now().Add(stopTimeout)
	case !s.ledger.connected:
		if soon := time.Now().Add(stopTimeout); soon.Before(s.giveUp) {
			s.giveUp = soon
		}
	default:
		drain := &sluicepb.Drain{}
		patience := drainDefault
		if s.drainTimeout != 0 {
			patience = max(s.drainTimeout, 0)
			drain.Timeout = durationpb.New(patience)
		}
		s.outbox.add(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Drain{Drain: drain}})
		s.handBackAtDrain() // only now: before the drain it would be given to this app again
		s.giveUp = time.Now().Add(patience + drainGrace)
	}
	s.wakeSender()
}

func (s *session) close(err error) {
	s.mu.Lock()
	s.ledger.close()
	var end error
	if s.wish == wishServe {
		end = &EndError{Consumer: s.consumer, Address: s.address, Status: status.Convert(err)}
	}
	s.end = end
	s.mu.Unlock()
	s.inbox.close()
	detail := ""
	if end != nil {
		detail = end.Error()
		s.tellError(end)
	}
	s.tellState(Closed, detail)
	close(s.closed)
}

// refuse ends it before it has begun.
func (s *session) refuse(err error) {
	s.end = err
	s.state, s.detail = Closed, err.Error()
	s.inbox.close()
	close(s.closed)
}

// ended is why it ended by itself; nil: it did not. Valid once the inbox is closed.
func (s *session) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

func (s *session) endedOrClosed() error {
	if err := s.ended(); err != nil {
		return err
	}
	return ErrClosed
}

func (s *session) nudge() {
	select {
	case s.nudged <- struct{}{}:
	default:
	}
}
