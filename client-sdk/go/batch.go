package sluice

import "context"

// batch is the messages that one call of a BatchHandler has.
type batch struct {
	waitedFor int // of them; guarded by the session's mutex
	ctx       messageContext
}

// leaveBatch: nobody waits any more for this one, or it has its verdict. With the session's mutex.
func (h *held) leaveBatch() {
	b := h.batch
	if b == nil {
		return
	}
	h.batch = nil
	if b.waitedFor--; b.waitedFor == 0 {
		b.ctx.cancel()
	}
}

// workBatches is one goroutine of a batch handler's, until the inbox is closed.
func (s *session) workBatches(handle BatchHandler) {
	var p place
	closed := false
	defer func() {
		if !closed { // the handler has ended this goroutine
			go s.workBatches(handle)
		}
	}()
	most := mostInFrame
	if s.options.maxBatch > 0 {
		most = int(s.options.maxBatch)
	}
	for {
		h, err := s.inbox.next(context.Background(), &p)
		if err != nil {
			closed = true
			return
		}
		s.handleBatch(s.gather(h, &p, most), handle)
	}
}

// gather is first, and what else is there already.
func (s *session) gather(first *held, p *place, most int) []*Message {
	messages := make([]*Message, 1, min(most, 1+p.left()))
	messages[0] = s.messageOf(first)
	for len(messages) < most {
		h := s.inbox.try(p)
		if h == nil {
			break
		}
		messages = append(messages, s.messageOf(h))
	}
	return messages
}

func (s *session) handleBatch(messages []*Message, handle BatchHandler) {
	ctx := s.joinBatch(messages)
	returned := false
	defer func() {
		if !returned {
			s.fail(messages, panicError(messages[0], recover()))
		}
		for _, m := range messages {
			s.endPart(m.held)
		}
	}()
	err := handle(ctx, messages)
	returned = true
	if err == nil && s.options.manual {
		return
	}
	v, thrown := verdictOf(err)
	s.settleAll(messages, v)
	if thrown {
		s.onThrown(&HandlerError{Message: messages[0], Err: err})
	}
}

func (s *session) joinBatch(messages []*Message) context.Context {
	b := &batch{ctx: messageContext{values: s.values}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		if !m.held.cancelled {
			m.held.batch = b
			b.waitedFor++
		}
	}
	if b.waitedFor == 0 {
		b.ctx.cancel()
	}
	return &b.ctx
}
