package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// load is how many handlers there are, how long each takes for a message, and after how many it says "ready".
type load struct {
	handlers int
	work     time.Duration
	flowing  int64
}

// drainAtSignal consumes until SIGTERM; then everything that was received is handled and acked, and the acks have been
// written, when it returns.
func drainAtSignal(ctx context.Context, consumer jetstream.Consumer, load load) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	messages := make(chan jetstream.Msg)
	var running sync.WaitGroup
	var handled atomic.Int64
	for range load.handlers {
		running.Go(func() {
			for message := range messages {
				time.Sleep(load.work)
				_ = message.Ack() // the account is of the time; what is lost is not counted here
				if handled.Add(1) == load.flowing {
					fmt.Println("ready")
				}
			}
		})
	}
	consumption, err := consumer.Consume(func(message jetstream.Msg) {
		messages <- message
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
