package sluice

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Handler is what an app does with a message. What it returns settles it: nil acks, [RetryAfter] and [Reject] do what
// they say, any other error naks and is told to [WithOnError] and the log; so does a panic. Called by [WithConcurrency]
// goroutines at once. The context is the message's own, see [Message.Context].
type Handler func(ctx context.Context, m *Message) error

// BatchHandler is the same for several messages at once, at least one: all that are here, of one frame at most, see
// [WithMaxBatch]; of a key never more than one. What it returns settles those that have no verdict yet by the methods of
// Message. The context is cancelled once nobody waits for any of them.
type BatchHandler func(ctx context.Context, batch []*Message) error

var errGoexit = errors.New("it ended its goroutine (runtime.Goexit)")

// work is one goroutine of a handler's, until the inbox is closed.
func (s *session) work(handle Handler) {
	var p place
	closed := false
	defer func() {
		if !closed { // the handler has ended this goroutine
			go s.work(handle)
		}
	}()
	for {
		h, err := s.inbox.next(context.Background(), &p)
		if err != nil {
			closed = true
			return
		}
		s.handle(h, handle)
	}
}

func (s *session) handle(h *held, handle Handler) {
	m := s.messageOf(h)
	returned := false
	defer func() {
		if !returned {
			s.fail([]*Message{m}, panicError(m, recover()))
		}
		s.endPart(h)
	}()
	err := handle(m.Context(), m)
	returned = true
	if err == nil && s.options.manual {
		return
	}
	v, thrown := verdictOf(err)
	s.settle(h, v)
	if thrown {
		s.onThrown(&HandlerError{Message: m, Err: err})
	}
}

// messageOf is what the app gets. One that may be let go of without a verdict naks then.
func (s *session) messageOf(h *held) *Message {
	m := &h.message
	if s.options.manual || s.onDemand {
		m = &Message{held: h, session: s}
		runtime.AddCleanup(m, func(h *held) { s.settle(h, nak(0)) }, h)
	}
	if derive := s.options.context; derive != nil {
		s.call(func() { m.ctx = derive(&h.ctx, m) })
	}
	return m
}

func (s *session) fail(messages []*Message, err *HandlerError) {
	s.settleAll(messages, nak(0))
	s.onThrown(err)
}

// panicError: p is what recover returned; nil: it was no panic, but runtime.Goexit.
func panicError(m *Message, p any) *HandlerError {
	switch p := p.(type) {
	case nil:
		return &HandlerError{Message: m, Err: errGoexit}
	case error:
		return &HandlerError{Message: m, Err: p, Stack: debug.Stack()}
	default:
		return &HandlerError{Message: m, Err: fmt.Errorf("%v", p), Stack: debug.Stack()}
	}
}
