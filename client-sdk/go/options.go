package sluice

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
)

// Limits of sluice.v1, and what is sensible.
const (
	mostConcurrency   = 10_000
	mostCreditMessage = 1 << 20
	mostCreditBytes   = 1 << 30
	mostInFrame       = 256
	longestClientID   = 128
)

// ClientOption configures a [Client].
type ClientOption func(*clientOptions)

type clientOptions struct {
	address     string
	clientID    string
	logger      *slog.Logger
	firstRetry  time.Duration
	longestWait time.Duration
	dial        []grpc.DialOption
}

// WithAddress is where the daemon listens, as gRPC spells it: "unix:///run/sluice/sluice.sock", "localhost:7422".
// Default: $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock.
func WithAddress(address string) ClientOption { return func(o *clientOptions) { o.address = address } }

// WithClientID names this app instance, so that after a reconnect it keeps what it holds. Two live apps must not share
// one. At most 128 bytes. Default: host-pid-random.
func WithClientID(id string) ClientOption { return func(o *clientOptions) { o.clientID = id } }

// WithLogger is where the client logs: reconnects and drains, and handlers that failed. Default: slog.Default().
func WithLogger(logger *slog.Logger) ClientOption {
	return func(o *clientOptions) { o.logger = logger }
}

// WithBackoff is the waiting time between attempts to connect: it doubles from first to longest, shortened at random by
// up to a quarter. A stream that had lived is retried at once first. Default: 100 ms, 5 s.
func WithBackoff(first, longest time.Duration) ClientOption {
	return func(o *clientOptions) { o.firstRetry, o.longestWait = first, longest }
}

// WithDialOptions adds to how the daemon is dialled, such as credentials, or an interceptor. Default: none, and no
// transport security, as fits a socket in the same pod.
func WithDialOptions(options ...grpc.DialOption) ClientOption {
	return func(o *clientOptions) { o.dial = append(o.dial, options...) }
}

// Option configures the consuming of one consumer. One that is out of its limits ends the consumption at once, and
// [Consumption.Err] says so.
type Option func(*options)

type options struct {
	concurrency    int
	creditMessages uint32
	creditBytes    uint64
	maxBatch       uint32
	key            func(*Message) string
	handBack       bool
	confirm        bool
	resumable      bool
	remembered     int
	manual         bool
	drainTimeout   time.Duration
	context        func(context.Context, *Message) context.Context

	onState    func(State, string)
	onDraining func(Draining)
	onDrained  func(DrainReport)
	onError    func(error)

	invalid error
}

func defaultOptions() options { return options{concurrency: 1, resumable: true, remembered: 4096} }

func (o *options) check(name string, value, least, most uint64) {
	if (value < least || value > most) && o.invalid == nil {
		o.invalid = fmt.Errorf("sluice: %s(%d) is out of its limits: give %d..%d", name, int64(value), least, most)
	}
}

// WithConcurrency is how many handlers run at once, 1..10,000. Default 1: one after the other, in the order of delivery.
// Not used by [Messages] and [Fetcher], where the caller's goroutines do the work.
func WithConcurrency(n int) Option {
	return func(o *options) {
		o.check("WithConcurrency", uint64(n), 1, mostConcurrency)
		o.concurrency = n
	}
}

// WithCredit is how many messages the app is willing to hold at once, running and waiting in the client, 0..1,048,576.
// Default 0: no more than keeps the handlers at work, which is what they finish in 50 to 250 ms; at least 4 per handler
// (and 8), at most 4,096. Not used by [Fetcher], which asks for what is to be fetched.
func WithCredit(messages int) Option {
	return func(o *options) {
		o.check("WithCredit", uint64(messages), 0, mostCreditMessage)
		o.creditMessages = uint32(messages)
	}
}

// WithCreditBytes is the same in bytes of subjects, headers and data, 0..1 GiB. Default 0: the daemon's 8 MiB. A message
// that is larger is still delivered, alone.
func WithCreditBytes(bytes int64) Option {
	return func(o *options) {
		o.check("WithCreditBytes", uint64(bytes), 0, mostCreditBytes)
		o.creditBytes = uint64(bytes)
	}
}

// WithMaxBatch is the most messages in one frame, and so in one batch, 0..256. Default 0: 256.
func WithMaxBatch(n int) Option {
	return func(o *options) {
		o.check("WithMaxBatch", uint64(n), 0, mostInFrame)
		o.maxBatch = uint32(n)
	}
}

// WithKey orders by a key of the app's own: messages of one key never run at once here, and run in the order of
// delivery; "" has no order. Across pods and redeliveries only the daemon's `ordering` keeps it. It is called as messages
// arrive: be quick. Default: the daemon's key, where one is configured.
func WithKey(key func(*Message) string) Option { return func(o *options) { o.key = key } }

// WithHandBack: at a drain, what waits in the client is handed back (NAK) instead of being worked off. Default: no.
func WithHandBack(handBack bool) Option { return func(o *options) { o.handBack = handBack } }

// WithConfirm has every verdict confirmed by the NATS server; [Message.Outcome] tells. About half the rate. Default: no,
// and only failures are told.
func WithConfirm(confirm bool) Option { return func(o *options) { o.confirm = confirm } }

// WithResumable asks for a token with each message, by which it is settled through the daemon's successor if the daemon
// is killed: what the handlers have done by then is not done again. Costs some 100 bytes a message. Default: yes.
func WithResumable(resumable bool) Option { return func(o *options) { o.resumable = resumable } }

// WithRemembered is how many verdicts are remembered, in case their daemon dies before JetStream knows: if such a
// message comes again, it gets the same verdict without being handled twice. 0..16,777,216, some 150 bytes each; at least
// the credit are. Default: 4,096.
func WithRemembered(verdicts int) Option {
	return func(o *options) {
		o.check("WithRemembered", uint64(verdicts), 0, 1<<24)
		o.remembered = verdicts
	}
}

// WithManual: the app settles by the methods of [Message], when it likes and from any goroutine, and a handler that
// returns nil settles nothing. One that returns an error still naks what has no verdict. A message that the app lets go
// of without a verdict naks when the garbage collector finds it.
func WithManual() Option { return func(o *options) { o.manual = true } }

// WithDrainTimeout is for drains that name none: by [Run], or by the end of the context that the consumer is consumed
// with. Default 0: the daemon's `drain.timeout`.
func WithDrainTimeout(timeout time.Duration) Option {
	return func(o *options) { o.drainTimeout = timeout }
}

// WithMessageContext derives the context of each message that an app gets, as for tracing; the module
// github.com/sluice-sidecar/sluice/client-sdk/go/otelsluice has one for OpenTelemetry. The result must be derived from
// ctx.
func WithMessageContext(derive func(ctx context.Context, m *Message) context.Context) Option {
	return func(o *options) { o.context = derive }
}

// WithOnState is called on every change of the [State]; detail is for people. Hooks are called one at a time, and while
// one runs no news of the stream is read: be quick, and do not wait for the consumption.
func WithOnState(f func(state State, detail string)) Option {
	return func(o *options) { o.onState = f }
}

// WithOnDraining is called when a drain begins, of the app's or the daemon's. See [WithOnState].
func WithOnDraining(f func(Draining)) Option { return func(o *options) { o.onDraining = f } }

// WithOnDrained is called when a drain is over. See [WithOnState].
func WithOnDrained(f func(DrainReport)) Option { return func(o *options) { o.onDrained = f } }

// WithOnError is told of every [*HandlerError], on the handler's goroutine, and one at a time of every [*SettleError], and
// of the [*EndError] if the consumption ends by itself. See [WithOnState].
func WithOnError(f func(error)) Option { return func(o *options) { o.onError = f } }
