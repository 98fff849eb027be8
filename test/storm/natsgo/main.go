// Storm_natsgo is the app of the storm without Sluice: nats.go's own Consume, as its documentation shows it. It says what it has handled as storm_app
// does. On SIGTERM it ends by -end: "closed" drains and waits for Closed(), "stop" calls Stop(), which discards the buffer.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func work(us int, sequence uint64) time.Duration {
	spread := (sequence * 2654435761) % 1000
	return time.Duration(us/2+us*int(spread)/1000) * time.Microsecond
}

func handle(message jetstream.Msg, us int, file *os.File) {
	begin := time.Now()
	meta, err := message.Metadata()
	if err != nil {
		log.Print(err)
		return
	}
	time.Sleep(work(us, meta.Sequence.Stream))
	fmt.Fprintf(file, "%s %d %d %d %d %d %d\n", bytes.TrimSpace(message.Data()), meta.Sequence.Stream, meta.NumDelivered, meta.Timestamp.UnixMicro(),
		begin.UnixMicro(), time.Now().UnixMicro(), os.Getpid())
	if err := message.Ack(); err != nil {
		log.Print(err)
	}
}

func main() {
	url := flag.String("nats", nats.DefaultURL, "where NATS is")
	stream := flag.String("stream", "STORM", "the stream")
	durable := flag.String("durable", "storm", "the durable consumer")
	handled := flag.String("handled", "", "file for what was handled")
	concurrency := flag.Int("concurrency", 16, "handlers at once")
	batch := flag.Int("batch", 64, "messages in the client's buffer")
	us := flag.Int("work-us", 2000, "work for each message")
	end := flag.String("end", "closed", "closed or stop")
	flag.Parse()
	file, err := os.OpenFile(*handled, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	connection, err := nats.Connect(*url, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(connection)
	if err != nil {
		log.Fatal(err)
	}
	consumer, err := js.Consumer(context.Background(), *stream, *durable)
	if err != nil {
		log.Fatal(err)
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, *concurrency)
	consuming, err := consumer.Consume(func(message jetstream.Msg) {
		slots <- struct{}{}
		running.Add(1)
		go func() {
			defer running.Done()
			handle(message, *us, file)
			<-slots
		}()
	}, jetstream.PullMaxMessages(*batch))
	if err != nil {
		log.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	if *end == "closed" {
		consuming.Drain()
		<-consuming.Closed()
	} else {
		consuming.Stop()
	}
	running.Wait()
	if err := connection.Flush(); err != nil {
		log.Fatal(err)
	}
	connection.Close()
}
