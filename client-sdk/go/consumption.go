package sluice

import (
	"context"
	"time"
)

// Consumption is the consuming of one consumer, until it is drained or stopped. It reconnects for ever, unless the
// daemon says that there is no point: unknown consumer, bad request, no permission, not a Sluice daemon. Its methods may
// be called from any goroutine; a handler must not call those that wait.
type Consumption struct{ session *session }

// Drain ends it gracefully: no more messages come, handlers finish, their verdicts are confirmed. The daemon NAKs what is
// still held after timeout; 0: after its own `drain.timeout`; negative: at once. Waits for the end, and returns the
// report and [Consumption.Err]; or the context's error, if that ends first: the drain then goes on.
func (c *Consumption) Drain(ctx context.Context, timeout time.Duration) (DrainReport, error) {
	c.StartDrain(timeout)
	err := c.Wait(ctx)
	return c.Report(), err
}

// StartDrain is Drain without waiting: for handlers, and for loops over [Messages]. The first one counts.
func (c *Consumption) StartDrain(timeout time.Duration) { c.session.startDrain(timeout) }

// Stop ends it at once: what has no verdict yet goes back to JetStream, the contexts of handlers that run are cancelled,
// and later verdicts are dropped. Waits until the daemon knows, 5 s at most.
func (c *Consumption) Stop() {
	c.session.startStop()
	<-c.session.closed
}

// Done is closed when it has ended.
func (c *Consumption) Done() <-chan struct{} { return c.session.closed }

// Err is why it has ended by itself: an [*EndError], or an option out of its limits. nil while it runs, and after Drain
// and Stop.
func (c *Consumption) Err() error {
	select {
	case <-c.session.closed:
		return c.session.ended()
	default:
		return nil
	}
}

// Wait until it has ended, and return Err; or the context's error, if that ends first.
func (c *Consumption) Wait(ctx context.Context) error {
	select {
	case <-c.session.closed:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Report of the drain that this app asked for; valid once it has ended.
func (c *Consumption) Report() DrainReport {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.session.report
}

// Stats so far.
func (c *Consumption) Stats() Stats { return c.session.statistics() }

// State at this moment, and what there is to say about it, for people.
func (c *Consumption) State() (state State, detail string) {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.session.state, c.session.detail
}

// ClientID by which the daemon knows it.
func (c *Consumption) ClientID() string { return c.session.clientID }
