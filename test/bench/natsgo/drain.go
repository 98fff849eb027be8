package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const flowing = 200 // messages, after which it says "ready"

// drainAtSignal consumes with as many handlers, until SIGTERM; then everything that was received is handled and acked, and
// the acks have been written, when it returns.
func drainAtSignal(ctx context.Context, consumer jetstream.Consumer, handlers int, work time.Duration) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	messages := make(chan jetstream.Msg)
	var running sync.WaitGroup
	for range handlers {
		running.Go(func() {
			for message := range messages {
				time.Sleep(work)
				_ = message.Ack() // the account is of the time; what is lost is not counted here
			}
		})
	}
	seen := 0
	consumption, err := consumer.Consume(func(message jetstream.Msg) {
		messages <- message
		if seen++; seen == flowing {
			fmt.Println("ready")
		}
	})
	if err != nil {
		return err
	}
	select {
	case <-signals:
	case <-ctx.Done():
		return ctx.Err()
	}
	consumption.Drain()
	<-consumption.Closed()
	close(messages)
	running.Wait()
	return nil
}
