package sluice

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrClosed is returned where there will be no more messages: the consumption was drained or stopped, or its client
// closed. Consume the consumer anew to go on.
var ErrClosed = errors.New("sluice: this consumption was drained or stopped: consume the consumer anew for more messages")

// HandlerError tells [WithOnError] that a handler failed: it returned an error that is no verdict, or panicked. The
// message was NAKed.
type HandlerError struct {
	Message *Message // the first, of a batch
	Err     error    // what it returned; of a panic, its value
	Stack   []byte   // of a panic
}

func (e *HandlerError) Error() string {
	what := "returned an error"
	if e.Stack != nil {
		what = "panicked"
	}
	return fmt.Sprintf("sluice: the handler of message %d %s, the message was NAKed: %v", e.Message.StreamSequence(), what,
		e.Err)
}

func (e *HandlerError) Unwrap() error { return e.Err }

// SettleError tells [WithOnError] that verdicts did not do what they should.
type SettleError struct {
	Outcome Outcome // Late, NotHeld or Failed
	Count   int     // verdicts
	Detail  string  // of the daemon, for people; may be empty
}

func (e *SettleError) Error() string {
	text := fmt.Sprintf("sluice: %d verdicts ", e.Count)
	switch e.Outcome {
	case Late:
		text += "came after their lease had ended: call InProgress in longer work, or raise lease.max in the daemon"
	case NotHeld:
		text += "were for messages that the daemon does not hold any more"
	default:
		text += "could not be confirmed: the messages may be delivered again"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// EndError is why a consumption has ended for good: the daemon says that there is no point in trying again. It carries
// the gRPC status, for status.FromError and status.Code.
type EndError struct {
	Consumer string
	Address  string // of the daemon
	Status   *status.Status
}

func (e *EndError) Error() string {
	return fmt.Sprintf("sluice: cannot consume %q from %s: %s: %s%s", e.Consumer, e.Address, codeName(e.Status.Code()),
		e.Status.Message(), hint(e.Status.Code()))
}

// GRPCStatus is what package status looks for.
func (e *EndError) GRPCStatus() *status.Status { return e.Status }

func hint(code codes.Code) string {
	switch code {
	case codes.NotFound:
		return ": name a consumer of the daemon's configuration"
	case codes.Unimplemented:
		return ": is it a Sluice daemon that listens there?"
	default:
		return ""
	}
}

// isPermanent: an answer that no amount of patience changes.
func isPermanent(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.InvalidArgument, codes.Unimplemented, codes.PermissionDenied:
		return true
	default:
		return false
	}
}

// codeName is a code as gRPC spells it: NOT_FOUND.
func codeName(code codes.Code) string {
	name := code.String()
	var out []byte
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' && i > 0 && name[i-1] >= 'a' {
			out = append(out, '_', c)
		} else if c >= 'a' && c <= 'z' {
			out = append(out, c-'a'+'A')
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
