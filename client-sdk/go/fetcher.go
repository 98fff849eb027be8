package sluice

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// A fetch is over when for so long nothing more has come, as with the daemon's own Fetch.
	fetchQuiet = 10 * time.Millisecond
	// After the first message.
	fetchLongest = 100 * time.Millisecond
	// What a daemon needs to say that there is nothing.
	fetchLeastWait = 100 * time.Millisecond
	// What comes too late for a fetch waits so long for the next one.
	leftoverPatience = time.Second
)

// Fetcher is the consuming of one consumer on demand: between fetches it holds back no messages from other apps. What
// it has in common with handlers is that of Consumption.
type Fetcher struct {
	*Consumption
	turn chan struct{} // one fetch at a time
}

// Fetch returns 1..n messages as soon as there are some: when n are there, or for 10 ms no more has come, 100 ms after
// the first one at most. None, and no error, after maxWait, of which less than 100 ms counts as that. They are the
// app's to settle by the methods of [Message]; one that it lets go of without a verdict naks when the garbage collector
// finds it. n is 1..1,048,576. Calls of several goroutines are served one after the other. What was on its way when a
// fetch was over is for the next one, and is NAKed if a second goes by without one.
//
// Errors: the context's · [ErrClosed] after a drain or stop has begun · [Consumption.Err] if the consumption ended by
// itself.
func (f *Fetcher) Fetch(ctx context.Context, n int, maxWait time.Duration) ([]*Message, error) {
	if n < 1 || n > mostCreditMessage {
		return nil, fmt.Errorf("sluice: Fetch(%d) is out of its limits: ask for 1..%d messages", n, mostCreditMessage)
	}
	waiting, cancel := context.WithTimeout(ctx, max(maxWait, fetchLeastWait))
	defer cancel()
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-waiting.Done():
		return nil, ctx.Err() // nil if it was maxWait
	}
	s := f.session
	serving := s.loopBegins()
	defer s.loopEnds()
	if !serving {
		return nil, s.endedOrClosed()
	}
	var p place
	messages := s.takeWaiting(nil, &p, n)
	if len(messages) > 0 {
		return messages, nil
	}
	s.setDemand(uint32(n))
	defer time.AfterFunc(leftoverPatience, s.handBackLeftovers)
	defer s.setDemand(0)
	h, err := s.inbox.next(waiting, &p)
	switch {
	case errors.Is(err, errInboxClosed):
		return nil, s.endedOrClosed()
	case err != nil:
		return nil, ctx.Err()
	}
	return s.collect(ctx, []*Message{s.fetched(h)}, &p, n), nil
}

// collect adds what comes soon, up to n.
func (s *session) collect(ctx context.Context, messages []*Message, p *place, n int) []*Message {
	longest, cancel := context.WithTimeout(ctx, fetchLongest)
	defer cancel()
	for {
		messages = s.takeWaiting(messages, p, n)
		if len(messages) >= n {
			return messages
		}
		quiet, cancel := context.WithTimeout(longest, fetchQuiet)
		h, err := s.inbox.next(quiet, p)
		cancel()
		if err != nil {
			return messages
		}
		messages = append(messages, s.fetched(h))
	}
}

// takeWaiting adds what is here already, up to n.
func (s *session) takeWaiting(messages []*Message, p *place, n int) []*Message {
	for len(messages) < n {
		h := s.inbox.try(p)
		if h == nil {
			break
		}
		messages = append(messages, s.fetched(h))
	}
	return messages
}

func (s *session) fetched(h *held) *Message {
	m := s.messageOf(h)
	s.endPart(h) // the app has no turns here: its lane waits for the verdict alone
	return m
}
