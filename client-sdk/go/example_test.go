package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

var errBusy = errors.New("busy")

func process(context.Context, []byte) error          { return nil }
func store(context.Context, []*sluice.Message) error { return nil }

func Example() {
	client, err := sluice.NewClient() // $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock
	if err != nil {
		log.Fatal(err)
	}
	orders := client.Consume(context.Background(), "orders", func(ctx context.Context, m *sluice.Message) error {
		return process(ctx, m.Data())
	}, sluice.WithConcurrency(8))
	report, err := sluice.Run(context.Background(), orders) // SIGTERM: finishes what it holds
	fmt.Println(report.Completed, err)
}

func ExampleRetryAfter() {
	handle := func(ctx context.Context, m *sluice.Message) error {
		if len(m.Data()) == 0 {
			return sluice.Reject("an order without content")
		}
		if err := process(ctx, m.Data()); errors.Is(err, errBusy) {
			return fmt.Errorf("%w: %w", err, sluice.RetryAfter(30*time.Second))
		} else if err != nil {
			return err // NAKed, told to the log and WithOnError
		}
		return nil
	}
	_ = handle
}

func ExampleClient_ConsumeBatches() {
	client, err := sluice.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	orders := client.ConsumeBatches(context.Background(), "orders", func(ctx context.Context, batch []*sluice.Message) error {
		return store(ctx, batch) // one transaction; nil acks all of them
	})
	_, err = sluice.Run(context.Background(), orders)
	fmt.Println(err)
}

func ExampleMessages() {
	ctx := context.Background()
	client, err := sluice.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for m, err := range client.Messages(ctx, "orders").All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if process(m.Context(), m.Data()) == nil {
			m.Ack() // without a verdict it would be NAKed at the end of this turn
		}
	}
}

func ExampleFetcher() {
	ctx := context.Background()
	client, err := sluice.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fetcher := client.Fetcher(ctx, "orders")
	messages, err := fetcher.Fetch(ctx, 10, 5*time.Second) // 1 to 10, or none after 5 s
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range messages {
		m.Ack()
	}
	report, err := fetcher.Drain(ctx, 0)
	fmt.Println(report.Completed, err)
}
