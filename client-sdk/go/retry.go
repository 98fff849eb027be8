package sluice

import (
	"context"
	"time"

	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

func (s *session) isLast(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.wish == wishStop || isPermanent(err):
		return true
	case s.wish == wishServe:
		return false
	}
	return s.report.Completed || s.ledger.stats.Streams == 0 || time.Since(s.lastConnected) > resumeWindow
}

// awaitRetry is false if the app does not want another stream.
func (s *session) awaitRetry(err error) bool {
	detail := "the stream has ended"
	if err != nil {
		detail = status.Convert(err).Message()
	}
	s.tellState(Connecting, detail)
	s.mu.Lock()
	if !s.connectedAt.IsZero() && s.lastConnected.Sub(s.connectedAt) >= lived {
		s.backoff.reset()
	}
	before := s.wish
	s.mu.Unlock()
	if wait := s.backoff.next(); wait > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		revived := make(chan struct{})
		go s.watchChannel(ctx, revived)
		for waiting := true; waiting && !s.wishes(before); {
			select {
			case <-ctx.Done():
				waiting = false
			case <-revived:
				waiting = false
			case <-s.nudged:
			}
		}
	}
	return !s.isLast(err)
}

func (s *session) wishes(more wish) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wish > more
}

// watchChannel closes revived once the channel has a new connection: a new daemon is found at once. Not before the first
// of the waiting times is over, lest a daemon that ends every connection be knocked at without a pause.
func (s *session) watchChannel(ctx context.Context, revived chan<- struct{}) {
	before := s.channel.GetState()
	select {
	case <-ctx.Done():
		return
	case <-time.After(s.backoff.first):
	}
	state := s.channel.GetState()
	for state != connectivity.Ready || before == connectivity.Ready {
		if state == connectivity.Idle {
			s.channel.Connect()
		}
		before = state
		if !s.channel.WaitForStateChange(ctx, state) {
			return
		}
		state = s.channel.GetState()
	}
	close(revived)
}
