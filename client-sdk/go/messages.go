package sluice

import (
	"context"
	"errors"
	"iter"
)

// Messages is the consuming of one consumer by the app's own loops. What it has in common with handlers is that of
// Consumption.
//
//	for m, err := range client.Messages(ctx, "orders").All(ctx) {
//		if err != nil {
//			return err
//		}
//		work(m.Data())
//		m.Ack()
//	}
type Messages struct{ *Consumption }

// All are the messages, one a turn. Leaving a turn without a verdict naks, unless [WithManual]. Ends without an error
// when the consumption is drained or stopped, and with one, and no message, when it ended by itself or ctx did. After a
// break the consumption is still there, and holds what waits in the client: go on with another loop, drain, or stop. At a
// drain what nobody loops over is handed back. Several goroutines may each run a loop.
func (m *Messages) All(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		s := m.session
		s.loopBegins()
		defer s.loopEnds()
		var p place
		for {
			h, err := s.inbox.next(ctx, &p)
			if errors.Is(err, errInboxClosed) {
				err = s.ended()
				if err == nil {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !s.turn(h, yield) {
				return
			}
		}
	}
}

// turn of a loop. The deferred part is for a loop that panics.
func (s *session) turn(h *held, yield func(*Message, error) bool) bool {
	defer s.endPart(h)
	if !s.options.manual {
		defer s.settle(h, nak(0))
	}
	return yield(s.messageOf(h), nil)
}
