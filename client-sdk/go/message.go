package sluice

import (
	"context"
	"runtime"
	"time"
)

// Message is one attempt at one message, and the duty to settle it. Its content is bytes: NATS promises no character set,
// and the strings here may hold any.
//
// A handler settles by what it returns; with [WithManual], in a loop over [Messages], and after [Fetcher.Fetch] the
// methods Ack, Nak and Term do, when the app likes and from any goroutine. Only the first verdict counts. Verdicts never
// block: they are queued and go out together.
type Message struct {
	held    *held
	session *session
	ctx     context.Context // nil: the held's own
}

// Subject it was published on.
func (m *Message) Subject() string { return string(m.held.delivery.GetSubject()) }

// Data is the payload. It is the message's own: it may be kept, and must not be changed.
func (m *Message) Data() []byte { return m.held.delivery.GetData() }

// Key by which messages are kept in order; "": none is configured, or this message has none.
func (m *Message) Key() string {
	if m.held.key != "" {
		return m.held.key
	}
	return string(m.held.delivery.GetKey())
}

// Header is one value of one header.
type Header struct{ Name, Value string }

// Headers in their order. A header with several values stands several times.
func (m *Message) Headers() []Header {
	headers := make([]Header, 0, len(m.held.delivery.GetHeaders()))
	for _, h := range m.held.delivery.GetHeaders() {
		headers = append(headers, Header{string(h.GetName()), string(h.GetValue())})
	}
	return headers
}

// Header is the first value of a header. Names are case-sensitive, as in NATS.
func (m *Message) Header(name string) (value string, ok bool) {
	for _, h := range m.held.delivery.GetHeaders() {
		if string(h.GetName()) == name {
			return string(h.GetValue()), true
		}
	}
	return "", false
}

// StreamSequence is its position in the JetStream stream, from 1.
func (m *Message) StreamSequence() uint64 { return m.held.delivery.GetStreamSequence() }

// ConsumerSequence is its position among the consumer's deliveries, from 1.
func (m *Message) ConsumerSequence() uint64 { return m.held.delivery.GetConsumerSequence() }

// NumDelivered counts the attempts with this message so far, from 1. What a drain gave back counts too.
func (m *Message) NumDelivered() uint64 { return m.held.delivery.GetNumDelivered() }

// NumPending is how many messages of the stream the consumer had not delivered yet.
func (m *Message) NumPending() uint64 { return m.held.delivery.GetNumPending() }

// Timestamp is when JetStream stored it.
func (m *Message) Timestamp() time.Time { return m.held.delivery.GetTimestamp().AsTime() }

// Ack settles it: done, JetStream will not deliver it again. False: it has a verdict already, and nothing was done.
func (m *Message) Ack() bool { return m.settle(ack()) }

// Nak settles it: failed, JetStream delivers it again, to any app of this consumer, and not before delay from now. 0: at
// once, or by the consumer's redelivery policy. Brought into 0..24 h. False: as with Ack.
func (m *Message) Nak(delay time.Duration) bool { return m.settle(nak(delay)) }

// Term settles it: hopeless, JetStream never delivers it again. The reason is for people; it is cut at 1,024 bytes, and
// line breaks become spaces. False: as with Ack.
func (m *Message) Term(reason string) bool { return m.settle(term(reason)) }

func (m *Message) settle(v verdict) bool {
	first := m.session.settle(m.held, v)
	runtime.KeepAlive(m) // until it is settled: letting go of it naks
	return first
}

// InProgress says that it is still being worked on: restarts the ack wait, and the daemon's longest lease (10 min by
// default). The daemon keeps the ack wait from running out by itself, so only work that takes longer than the lease
// needs this.
func (m *Message) InProgress() { m.session.inProgress(m.held) }

// Outcome waits until the NATS server has confirmed the verdict, or cannot; the verdict itself may still be to come.
// Needs [WithConfirm]. An error: the context's, or that confirmations were not asked for.
func (m *Message) Outcome(ctx context.Context) (Outcome, error) {
	outcome, err := m.held.confirming.wait(ctx)
	runtime.KeepAlive(m)
	return outcome, err
}

// Context is cancelled once nobody waits for the verdict any more: the lease is over, the daemon was lost, the drain's
// deadline is over, or the consumption was stopped. JetStream will deliver the message again; long work may as well give
// up. Its values are those of the context that the consumer is consumed with, and of [WithMessageContext]. Handlers get
// it as their first argument.
func (m *Message) Context() context.Context {
	if m.ctx != nil {
		return m.ctx
	}
	return &m.held.ctx
}

// Deadline is when the lease ends, or the drain if one is running: a verdict is due before. Zero: not known yet.
func (m *Message) Deadline() time.Time { return m.session.deadline(m.held) }
