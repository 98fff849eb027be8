// orders books orders into SQLite, each exactly once, however often it is delivered:
//
//	orders -database orders.db
//
// A message is one order as JSON: {"id": "o-17", "customer": "c-3", "cents": 1250}. The order and the customer's balance
// are written in one transaction, which the order's id makes idempotent: that is what at-least-once delivery asks of a
// worker. The verdict is given after the commit.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

func main() {
	database := flag.String("database", "orders.db", "the SQLite file")
	consumer := flag.String("consumer", "orders", "in the daemon's configuration")
	flag.Parse()
	if err := run(context.Background(), *database, *consumer); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database, consumer string) error {
	b, err := openBooks(ctx, database)
	if err != nil {
		return err
	}
	defer b.Close()
	client, err := sluice.NewClient()
	if err != nil {
		return err
	}
	defer client.Close()
	orders := client.Consume(ctx, consumer, b.handle, sluice.WithConcurrency(4))
	report, err := sluice.Run(ctx, orders) // until SIGTERM
	slog.New(slog.NewJSONHandler(os.Stdout, nil)).Info("drained", "completed", report.Completed, "acked", report.Acked,
		"naked", report.Naked, "handled", orders.Stats().Received)
	return err
}
