package sluice

import "time"

// What the app's goroutines call.

// settle gives the app's verdict; false: there was one before.
func (s *session) settle(h *held, v verdict) bool {
	s.mu.Lock()
	if h.settled {
		s.mu.Unlock()
		return false
	}
	s.settleLocked(h, v)
	s.wakeSender()
	s.mu.Unlock()
	s.endPart(h)
	return true
}

// settleAll gives the same verdict to all of them that have none.
func (s *session) settleAll(messages []*Message, v verdict) {
	var inLanes []*held
	s.mu.Lock()
	for _, m := range messages {
		if h := m.held; !h.settled {
			s.settleLocked(h, v)
			if h.lane != nil {
				inLanes = append(inLanes, h)
			}
		}
	}
	s.wakeSender()
	s.mu.Unlock()
	for _, h := range inLanes {
		s.endPart(h)
	}
}

func (s *session) settleLocked(h *held, v verdict) {
	if id, tell := s.ledger.settle(h, v); tell {
		s.outbox.addVerdict(id, v)
	}
}

// endPart: either its verdict was given, or the app's turn with it is over. With both its lane goes on.
func (s *session) endPart(h *held) {
	if h.lane != nil && h.unended.Add(-1) == 0 {
		s.inbox.leave(h)
	}
}

func (s *session) inProgress(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.settled {
		return
	}
	h.leased = time.Now()
	if !s.ledger.connected || h.stream != s.ledger.stream || h.progressIn > s.outbox.taken {
		return // not now, or still queued
	}
	s.ledger.awaitProgress(h)
	h.progressIn = s.outbox.addInProgress(h.id)
	s.wakeSender()
}

func (s *session) deadline(h *held) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var deadline time.Time
	if s.maxLease > 0 {
		deadline = h.leasedSince().Add(s.maxLease)
	}
	if drain := s.drainDeadline; !drain.IsZero() && (deadline.IsZero() || drain.Before(deadline)) {
		deadline = drain
	}
	return deadline
}

func (s *session) startDrain(timeout time.Duration) {
	s.mu.Lock()
	first := s.wish == wishServe
	if first {
		s.wish = wishDrain
		s.drainTimeout = timeout
	}
	s.mu.Unlock()
	if first {
		s.nudge()
	}
}

func (s *session) startStop() {
	s.inbox.pause()
	s.mu.Lock()
	s.wish = wishStop
	s.mu.Unlock()
	s.nudge()
}

// handBackAtDrain gives back what waits in the client, if it is not to be worked off, with the mutex: as the app chose, or
// as nobody is there to take it.
func (s *session) handBackAtDrain() {
	if s.options.handBack || s.byLoop && s.loops == 0 {
		s.tell(s.ledger.handBack())
	}
}

// drains: the daemon knows of a drain of this stream, the app's or its own. With the mutex.
func (s *session) drains() bool { return s.followed == wishDrain || !s.drainDeadline.IsZero() }

// loopBegins: the app takes messages by itself from now on. False: no more will come.
func (s *session) loopBegins() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loops++
	return s.wish == wishServe
}

func (s *session) loopEnds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loops--
	if s.drains() {
		s.handBackAtDrain()
		s.wakeSender()
	}
}

// setDemand: so many messages are wanted beyond what is held.
func (s *session) setDemand(messages uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.demand = messages
	if s.wish == wishServe && s.ledger.connected {
		s.sendCredit()
		s.wakeSender()
	}
}

// handBackLeftovers: what came too late for the last fetch goes back, if no other has come.
func (s *session) handBackLeftovers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loops == 0 {
		s.tell(s.ledger.handBack())
		s.wakeSender()
	}
}

func (s *session) statistics() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.stats
}

func (s *session) onThrown(err *HandlerError) {
	s.mu.Lock()
	s.ledger.stats.Thrown++
	s.mu.Unlock()
	s.tellError(err)
}
