package sluice

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

const defaultAddress = "unix:///run/sluice/sluice.sock"

// Client is an app's connection to the Sluice daemon beside it. It opens nothing by itself: connecting, and
// reconnecting, is each consumption's own business. For any number of goroutines.
type Client struct {
	options clientOptions
	channel *grpc.ClientConn

	mu           sync.Mutex
	consumptions map[string]int        // so far, by consumer
	sessions     map[*session]struct{} // that are not closed
	closed       bool
}

// NewClient fails only on an address or dial options that gRPC cannot make sense of.
func NewClient(opts ...ClientOption) (*Client, error) {
	o := clientOptions{logger: slog.Default(), firstRetry: 100 * time.Millisecond, longestWait: 5 * time.Second}
	for _, option := range opts {
		option(&o)
	}
	if o.address == "" {
		if o.address = os.Getenv("SLUICE_ADDRESS"); o.address == "" {
			o.address = defaultAddress
		}
	}
	if o.clientID == "" {
		host, _ := os.Hostname() // without one the rest makes it unique
		o.clientID = fmt.Sprintf("%.64s-%d-%x", host, os.Getpid(), rand.Uint64())
	}
	o.clientID = toUTF8(o.clientID, longestClientID)
	channel, err := grpc.NewClient(o.address, append(dialOptions(), o.dial...)...)
	if err != nil {
		return nil, fmt.Errorf("sluice: give the daemon's address as unix:///path or host:port, not %q: %w", o.address, err)
	}
	return &Client{options: o, channel: channel, consumptions: map[string]int{}, sessions: map[*session]struct{}{}}, nil
}

func dialOptions() []grpc.DialOption {
	const window = 8 << 20 // of flow control: the default credit
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)), // a frame may be one message of any size
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithDisableRetry(), // the session's own business
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(), // it is beside us
		// Finds a daemon that hangs, or a node that is gone. A stream that flows sends none.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// The waiting between attempts is the session's; gRPC's own (up to 2 min) must not add to it.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
}

// Consume calls the handler for the messages of a consumer of the daemon's configuration, from now on. The end of ctx
// starts a drain; its values are those of the handlers' contexts.
func (c *Client) Consume(ctx context.Context, consumer string, handler Handler, opts ...Option) *Consumption {
	s := c.open(ctx, consumer, opts, func(s *session) {})
	for range s.options.concurrency {
		go s.work(handler)
	}
	return &Consumption{s}
}

// ConsumeBatches is Consume for several messages at once.
func (c *Client) ConsumeBatches(ctx context.Context, consumer string, handler BatchHandler, opts ...Option) *Consumption {
	s := c.open(ctx, consumer, opts, func(s *session) {})
	for range s.options.concurrency {
		go s.workBatches(handler)
	}
	return &Consumption{s}
}

// Messages are those of a consumer of the daemon's configuration, for the app's own loops. The end of ctx starts a drain.
func (c *Client) Messages(ctx context.Context, consumer string, opts ...Option) *Messages {
	return &Messages{&Consumption{c.open(ctx, consumer, opts, func(s *session) { s.byLoop = true })}}
}

// Fetcher of messages of a consumer of the daemon's configuration, on demand. The end of ctx starts a drain.
func (c *Client) Fetcher(ctx context.Context, consumer string, opts ...Option) *Fetcher {
	s := c.open(ctx, consumer, opts, func(s *session) { s.byLoop, s.onDemand = true, true })
	return &Fetcher{&Consumption{s}, make(chan struct{}, 1)}
}

// Close stops what was opened, see [Consumption.Stop], and closes the connection.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	var open []*session
	for s := range c.sessions {
		open = append(open, s)
	}
	c.mu.Unlock()
	for _, s := range open {
		s.startStop()
	}
	for _, s := range open {
		<-s.closed
	}
	return c.channel.Close()
}

// Address of the daemon.
func (c *Client) Address() string { return c.options.address }

// ClientID by which the daemon knows this app.
func (c *Client) ClientID() string { return c.options.clientID }

// open starts a session. style says by what means the app takes its messages.
func (c *Client) open(ctx context.Context, consumer string, opts []Option, style func(*session)) *session {
	s := &session{
		consumer: consumer,
		clientID: c.clientIDFor(consumer),
		address:  c.options.address,
		options:  defaultOptions(),
		channel:  c.channel,
		stub:     sluicepb.NewConsumerServiceClient(c.channel),
		log:      c.options.logger,
		values:   context.WithoutCancel(ctx),
		inbox:    newInbox(),
		nudged:   make(chan struct{}, 1),
		toWrite:  make(chan struct{}, 1),
		closed:   make(chan struct{}),
		backoff:  newBackoff(c.options.firstRetry, c.options.longestWait),
	}
	for _, option := range opts {
		option(&s.options)
	}
	style(s)
	s.credit = newCreditWindow(s.options.creditMessages, s.options.concurrency)
	s.ledger = newLedger(s.credit.most(), s.options.remembered, s.options.confirm)
	if err := c.admit(s); err != nil {
		s.refuse(err)
		return s
	}
	stopWatching := context.AfterFunc(ctx, func() { s.startDrain(s.options.drainTimeout) })
	go func() {
		s.run()
		stopWatching()
		c.mu.Lock()
		delete(c.sessions, s)
		c.mu.Unlock()
	}()
	return s
}

func (c *Client) admit(s *session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if s.options.invalid != nil {
		s.options.concurrency = 0
		return s.options.invalid
	}
	c.sessions[s] = struct{}{}
	return nil
}

// clientIDFor: a second consumption of the same consumer is another instance to the daemon.
func (c *Client) clientIDFor(consumer string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.consumptions[consumer]++
	ordinal := c.consumptions[consumer]
	if ordinal == 1 {
		return c.options.clientID
	}
	suffix := "-" + strconv.Itoa(ordinal)
	return toUTF8(c.options.clientID, longestClientID-len(suffix)) + suffix
}
