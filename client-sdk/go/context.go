package sluice

import (
	"context"
	"sync"
	"time"
)

// messageContext is the context of one message: the values of the consumption's context, cancelled once nobody waits for
// the verdict any more. Part of its held, so that a message costs no allocation for it; what few handlers need is made on
// demand.
type messageContext struct {
	values context.Context

	mu        sync.Mutex
	done      chan struct{} // nil until somebody asks
	cancelled bool
	after     map[*func()]struct{}
}

// Deadline tells none, as a context's must never change and a lease's does: see Message.Deadline.
func (*messageContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *messageContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.cancelled {
			close(c.done)
		}
	}
	return c.done
}

func (c *messageContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled {
		return context.Canceled
	}
	return nil
}

func (c *messageContext) Value(key any) any {
	if c.values == nil {
		return nil
	}
	return c.values.Value(key)
}

// AfterFunc is what the package context looks for: with it, contexts that are derived from this one need no goroutine.
func (c *messageContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*func()]struct{})
	}
	c.after[&f] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := c.after[&f]
		delete(c.after, &f)
		return waiting
	}
}

// cancel may be called with the session's mutex: it runs no code of the app's.
func (c *messageContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelled {
		return
	}
	c.cancelled = true
	if c.done != nil {
		close(c.done)
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}
