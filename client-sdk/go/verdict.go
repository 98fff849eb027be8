package sluice

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of sluice.v1: a verdict beyond them would end the stream.
const (
	longestDelay  = 24 * time.Hour
	longestReason = 1024 // bytes
)

type verdictKind uint8

const (
	verdictAck verdictKind = iota
	verdictNak
	verdictTerm
)

// verdict is what is to become of a message.
type verdict struct {
	kind   verdictKind
	delay  time.Duration // of a nak
	reason string        // of a term
}

func ack() verdict { return verdict{} }

func nak(delay time.Duration) verdict {
	return verdict{kind: verdictNak, delay: min(max(delay, 0), longestDelay)}
}

func term(reason string) verdict {
	breaksLine := func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}
	return verdict{kind: verdictTerm, reason: strings.Map(breaksLine, toUTF8(reason, longestReason))}
}

// toUTF8 is s with every malformed byte replaced, cut between two characters to at most limit bytes. Text fields of
// protobuf must be UTF-8, or the stream ends.
func toUTF8(s string, limit int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}

// RetryAfterError is what [RetryAfter] returns.
type RetryAfterError struct {
	Delay time.Duration // from when the handler returns
}

func (e *RetryAfterError) Error() string { return fmt.Sprintf("to be tried again after %v", e.Delay) }

// RetryAfter is the error with which a handler says: not now, deliver it again, and not before delay from now. Brought
// into 0..24 h. It counts as a verdict of the app's, not as a failure of its handler. It may be wrapped:
//
//	return fmt.Errorf("payment of order %s: %w: %w", id, err, sluice.RetryAfter(30*time.Second))
func RetryAfter(delay time.Duration) error { return &RetryAfterError{Delay: delay} }

// RejectError is what [Reject] returns.
type RejectError struct {
	Reason string // for people, in the daemon's log and with the dead letter
}

func (e *RejectError) Error() string {
	if e.Reason == "" {
		return "rejected"
	}
	return "rejected: " + e.Reason
}

// Reject is the error with which a handler says that a message is hopeless: JetStream never delivers it again. The
// reason is for people; it is cut at 1,024 bytes, and line breaks become spaces. It may be wrapped, and outranks a
// [RetryAfter] that is wrapped with it.
func Reject(reason string) error { return &RejectError{Reason: reason} }

// verdictOf is what a handler's return value settles. thrown: it is a failure of the handler, not a verdict.
func verdictOf(err error) (v verdict, thrown bool) {
	if err == nil {
		return ack(), false
	}
	var reject *RejectError
	if errors.As(err, &reject) {
		return term(reject.Reason), false
	}
	var retry *RetryAfterError
	if errors.As(err, &retry) {
		return nak(retry.Delay), false
	}
	return nak(0), true
}
