// natsgo URL STREAM COUNT: an app on nats.go alone, with its Consume and an ack for each message. It says how long COUNT
// messages took, as bench_direct does for cnats.
//
// natsgo -drain [-handlers N] [-work DURATION] [-flowing N] URL STREAM: the same until SIGTERM, when it drains as nats.go has it:
// Drain(), then Closed(). It says "ready" when it has handled as many as `flowing`.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	drain := flag.Bool("drain", false, "until SIGTERM, then drain")
	handlers := flag.Int("handlers", 1, "that run at once")
	work := flag.Duration("work", 0, "how long a handler takes")
	flowing := flag.Int64("flowing", 200, `messages until it says "ready"`)
	flag.Parse()
	var err error
	switch {
	case *drain && flag.NArg() == 2:
		err = withConsumer(flag.Arg(0), flag.Arg(1), func(ctx context.Context, consumer jetstream.Consumer) error {
			return drainAtSignal(ctx, consumer, load{*handlers, *work, *flowing})
		})
	case !*drain && flag.NArg() == 3:
		err = rate(flag.Arg(0), flag.Arg(1), flag.Arg(2))
	default:
		fmt.Fprintln(os.Stderr, "usage: natsgo URL STREAM COUNT | natsgo -drain [-handlers N] [-work DURATION] [-flowing N] URL STREAM")
		os.Exit(78)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "natsgo:", err)
		os.Exit(70)
	}
}

func withConsumer(url, stream string, do func(context.Context, jetstream.Consumer) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	connection, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: "natsgo", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 20000,
	})
	if err != nil {
		return err
	}
	return do(ctx, consumer)
}

func rate(url, stream, text string) error {
	count, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	return withConsumer(url, stream, func(ctx context.Context, consumer jetstream.Consumer) error {
		seconds, err := consume(ctx, consumer, count)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(map[string]any{
			"messages": count, "seconds": seconds, "cpu_seconds": cpuSeconds(),
		})
	})
}

func consume(ctx context.Context, consumer jetstream.Consumer, count int) (float64, error) {
	var first time.Time
	handled := 0
	result := make(chan float64, 1)
	failed := make(chan error, 1)
	consumption, err := consumer.Consume(func(message jetstream.Msg) {
		if handled == 0 {
			first = time.Now()
		}
		handled++
		if err := message.Ack(); err != nil && len(failed) == 0 {
			failed <- err
		}
		if handled == count {
			result <- time.Since(first).Seconds()
		}
	})
	if err != nil {
		return 0, err
	}
	defer consumption.Stop()
	select {
	case seconds := <-result:
		return seconds, nil
	case err := <-failed:
		return 0, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
