// Package sluice consumes durable NATS JetStream consumers through the Sluice daemon beside the app: one gRPC stream, no
// NATS library, and a handler whose error is the verdict.
//
//	client, err := sluice.NewClient() // $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock
//	...
//	orders := client.Consume(ctx, "orders", func(ctx context.Context, m *sluice.Message) error {
//		return process(ctx, m.Data())
//	}, sluice.WithConcurrency(8))
//	report, err := sluice.Run(ctx, orders) // SIGTERM: finishes what it holds, then returns the report
//
// # Verdicts
//
// A handler that returns nil acks; [RetryAfter] and [Reject], wrapped or not, do what they say; any other error, and a
// panic, naks. With [WithManual], in loops over [Messages] and after [Fetcher.Fetch], the methods of [Message] settle.
//
// # What it does for the app
//
// It reconnects for ever, and keeps what it holds over a reconnect: handlers just go on. What the death of a daemon
// brings back is not handled twice: it is joined to the handler that still runs, or gets the verdict that it had. It asks
// for no more messages than keep the handlers at work. [Consumption.Drain], the end of the context, and [Run] at SIGTERM
// stop the intake, let handlers finish, and return the daemon's report.
//
// Delivery is at least once: an app that is killed between its work and its ack sees the message again.
package sluice
