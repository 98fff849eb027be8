package sluice

import (
	"context"
	"errors"
	"io"
	"runtime"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

type consumeStream = grpc.BidiStreamingClient[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse]

// stream is one Consume call: receives until it ends, and has the outbox sent meanwhile. nil: it ended OK.
func (s *session) stream(ctx context.Context) error {
	stream, err := s.stub.Consume(ctx)
	if err != nil {
		return err
	}
	over := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.send(stream, over)
	}()
	for err == nil {
		response := new(sluicepb.ConsumeResponse)
		if err = stream.RecvMsg(response); err == nil {
			s.receive(response)
		}
	}
	s.streamEnded()
	close(over)
	<-sent
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// send has one write in flight; verdicts that are given meanwhile go out together.
func (s *session) send(stream consumeStream, over <-chan struct{}) {
	for {
		request, step := s.nextToSend()
		var err error
		switch step {
		case stepWrite:
			err = stream.Send(request)
		case stepHalfClose:
			err = stream.CloseSend()
		case stepNothing:
			select {
			case <-s.toWrite:
				runtime.Gosched() // lets handlers that are quick settle some more
			case <-over:
				return
			}
		}
		if err != nil {
			s.mu.Lock()
			s.outbox.closed = true // the receiver will be told why
			s.mu.Unlock()
		}
	}
}

func (s *session) nextToSend() (*sluicepb.ConsumeRequest, outboxStep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request, step := s.outbox.next()
	s.senderIdle = step == stepNothing
	return request, step
}

// wakeSender, with the mutex, after something was put into the outbox.
func (s *session) wakeSender() {
	if !s.senderIdle {
		return
	}
	s.senderIdle = false
	select {
	case s.toWrite <- struct{}{}:
	default:
	}
}

// tell queues verdicts, with the mutex.
func (s *session) tell(settlements []settlement) {
	for _, one := range settlements {
		s.outbox.addVerdict(one.id, one.verdict)
	}
}

func (s *session) receive(response *sluicepb.ConsumeResponse) {
	switch kind := response.GetKind().(type) {
	case *sluicepb.ConsumeResponse_Deliveries:
		s.onDeliveries(kind.Deliveries.GetDeliveries())
	case *sluicepb.ConsumeResponse_Opened:
		s.onOpened(kind.Opened)
	case *sluicepb.ConsumeResponse_SettleResults:
		s.onSettleResults(kind.SettleResults)
	case *sluicepb.ConsumeResponse_State:
		s.tellState(stateOf(kind.State.GetKind()), kind.State.GetDetail())
	case *sluicepb.ConsumeResponse_LeasesEnded:
		s.mu.Lock()
		s.tell(s.ledger.leasesEnded(kind.LeasesEnded.GetIds()))
		s.wakeSender()
		s.mu.Unlock()
	case *sluicepb.ConsumeResponse_Draining:
		s.onDraining(kind.Draining)
	case *sluicepb.ConsumeResponse_Drained:
		s.onDrained(kind.Drained)
	default: // of a later daemon
	}
}

func (s *session) onDeliveries(deliveries []*sluicepb.Delivery) {
	f := s.frameOf(deliveries)
	s.mu.Lock()
	if !s.ledger.connected { // before Opened: not this contract
		s.mu.Unlock()
		return
	}
	held := s.ledger.stats.InFlight
	if f.keyed && s.options.concurrency > 1 { // handlers may have nothing to do meanwhile
		held = 0
	}
	s.tell(s.ledger.accept(f))
	if !s.onDemand && s.credit.update(f.arrived, s.ledger.stats.verdicts(), held) && s.wish == wishServe {
		s.sendCredit()
	}
	if s.drains() {
		s.handBackAtDrain() // it was on its way when the drain began
	}
	s.wakeSender()
	s.mu.Unlock()
	s.inbox.push(f)
}

func (s *session) frameOf(deliveries []*sluicepb.Delivery) *frame {
	f := &frame{held: make([]held, len(deliveries)), arrived: time.Now()}
	for i, delivery := range deliveries {
		h := &f.held[i]
		h.delivery, h.frame = delivery, f
		h.ctx.values = s.values
		h.message = Message{held: h, session: s}
		h.key = s.keyOf(h)
		f.keyed = f.keyed || h.key != ""
		if s.options.confirm {
			h.confirming = newConfirming()
		}
	}
	return f
}

// keyOf is the ordering key of a message.
func (s *session) keyOf(h *held) (key string) {
	if s.options.key == nil {
		return string(h.delivery.GetKey())
	}
	s.call(func() { key = s.options.key(&h.message) })
	return key
}

// sendCredit, with the mutex.
func (s *session) sendCredit() {
	s.outbox.add(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Credit{Credit: s.creditWanted()}})
}

func (s *session) onOpened(opened *sluicepb.Opened) {
	resumed := make(map[uint64]uint64, len(opened.GetResumed()))
	for _, one := range opened.GetResumed() {
		resumed[one.GetHeldId()] = one.GetId()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(s.ledger.opened(resumed))
	s.ledger.stats.Refused += uint64(len(opened.GetRefused()))
	s.maxLease = opened.GetMaxLease().AsDuration()
	s.followed = wishServe
	s.connectedAt = time.Now()
	s.giveUp = s.connectedAt.Add(forever)
	if s.onDemand && s.demand > 0 {
		s.sendCredit() // what is held now is known only now
	}
	if s.wish != wishStop {
		s.inbox.resume()
	}
	s.wakeSender()
	s.nudge()
}

func (s *session) onSettleResults(results *sluicepb.SettleResults) {
	for _, result := range results.GetResults() {
		outcome, count := outcomeOf(result.GetOutcome()), len(result.GetIds())
		s.mu.Lock()
		for _, id := range result.GetIds() {
			s.ledger.result(id, outcome)
		}
		switch outcome {
		case Late:
			s.ledger.stats.Late += uint64(count)
		case NotHeld:
			s.ledger.stats.NotHeld += uint64(count)
		case Failed:
			s.ledger.stats.Failed += uint64(count)
		}
		s.mu.Unlock()
		if outcome != Confirmed {
			s.tellError(&SettleError{Outcome: outcome, Count: count, Detail: result.GetDetail()})
		}
	}
}

func (s *session) onDraining(draining *sluicepb.Draining) {
	told := Draining{ByDaemon: draining.GetReason() == sluicepb.Draining_REASON_DAEMON}
	s.mu.Lock()
	if draining.GetDeadline() != nil {
		told.Deadline = draining.GetDeadline().AsTime()
		s.drainDeadline = told.Deadline
		s.armDeadline()
		if s.followed != wishStop {
			s.giveUp = told.Deadline.Add(drainGrace)
			s.nudge()
		}
	}
	if told.ByDaemon {
		s.handBackAtDrain()
		s.wakeSender()
	}
	s.mu.Unlock()
	s.log.Info("sluice: draining", "consumer", s.consumer, "by_daemon", told.ByDaemon, "deadline", told.Deadline)
	if hook := s.options.onDraining; hook != nil {
		s.call(func() { hook(told) })
	}
}

// armDeadline, with the mutex: at the drain's deadline the daemon gives back what is held, so nothing is started any more.
// It then says so; a little later nobody waits in any case.
func (s *session) armDeadline() {
	if s.deadlineTimer != nil {
		s.deadlineTimer.Stop()
	}
	stream := s.ledger.stream
	s.deadlineTimer = time.AfterFunc(time.Until(s.drainDeadline), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ledger.stream != stream || !s.ledger.connected {
			return
		}
		s.inbox.pause()
		s.deadlineTimer = time.AfterFunc(drainPatience, func() { s.expire(stream) })
	})
}

// expire: nobody waits any more for what this stream held.
func (s *session) expire(stream uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.stream == stream && s.ledger.connected {
		s.ledger.expire()
	}
}

func (s *session) onDrained(drained *sluicepb.Drained) {
	report := reportOf(drained.GetReport())
	s.mu.Lock()
	s.drained = true
	s.inbox.pause()
	s.ledger.expire()
	if s.wish == wishDrain {
		s.report = report
	}
	s.mu.Unlock()
	s.log.Info("sluice: drained", "consumer", s.consumer, "awaited", report.Awaited, "acked", report.Acked,
		"naked", report.Naked, "deadline_exceeded", report.DeadlineExceeded)
	if hook := s.options.onDrained; hook != nil {
		s.call(func() { hook(report) })
	}
}

func (s *session) streamEnded() {
	s.inbox.pause()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.connected {
		s.lastConnected = time.Now()
	}
	s.ledger.streamEnded()
	s.outbox.closed = true
	if s.deadlineTimer != nil {
		s.deadlineTimer.Stop()
	}
}
