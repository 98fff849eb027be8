package main

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// stopwatch runs from the first message to the last one.
type stopwatch struct {
	count, seen int
	first       time.Time
	done        chan time.Duration
}

func newStopwatch(count int) *stopwatch {
	return &stopwatch{count: count, done: make(chan time.Duration, 1)}
}

// add is called by one goroutine.
func (w *stopwatch) add(n int) {
	if w.seen == 0 {
		w.first = time.Now()
	}
	before := w.seen
	w.seen += n
	if before < w.count && w.seen >= w.count {
		w.done <- time.Since(w.first)
	}
}

func handlerStyle(address string, count int) (time.Duration, error) {
	watch := newStopwatch(count)
	return consume(address, watch, func(client *sluice.Client) *sluice.Consumption {
		return client.Consume(context.Background(), "bench", func(context.Context, *sluice.Message) error {
			watch.add(1)
			return nil
		}, sluice.WithCredit(window))
	})
}

func batchStyle(address string, count int) (time.Duration, error) {
	watch := newStopwatch(count)
	return consume(address, watch, func(client *sluice.Client) *sluice.Consumption {
		return client.ConsumeBatches(context.Background(), "bench", func(_ context.Context, batch []*sluice.Message) error {
			watch.add(len(batch))
			return nil
		}, sluice.WithCredit(window))
	})
}

func consume(address string, watch *stopwatch, start func(*sluice.Client) *sluice.Consumption) (time.Duration, error) {
	client, err := sluice.NewClient(sluice.WithAddress(address))
	if err != nil {
		return 0, err
	}
	consumption := start(client)
	select {
	case took := <-watch.done:
		return took, client.Close()
	case <-consumption.Done():
		return 0, errors.Join(errors.New("it ended early"), consumption.Err(), client.Close())
	}
}

// bareStream acks each frame in one request: what this language reaches without a client library. One goroutine receives,
// another one sends what has gathered.
func bareStream(address string, count int) (time.Duration, error) {
	channel, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithInitialWindowSize(8<<20), grpc.WithInitialConnWindowSize(8<<20), grpc.WithDisableRetry())
	if err != nil {
		return 0, err
	}
	defer channel.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := sluicepb.NewConsumerServiceClient(channel).Consume(ctx)
	if err != nil {
		return 0, err
	}
	open := &sluicepb.Open{Consumer: "bench", Resumable: true, Credit: &sluicepb.Credit{Messages: window}}
	if err := stream.Send(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Open{Open: open}}); err != nil {
		return 0, err
	}
	frames := make(chan []uint64, window)
	go sendAcks(stream, frames)
	defer close(frames)
	watch := newStopwatch(count)
	for {
		response, err := stream.Recv()
		if err != nil {
			return 0, err
		}
		deliveries := response.GetDeliveries().GetDeliveries()
		if len(deliveries) == 0 {
			continue
		}
		ids := make([]uint64, len(deliveries))
		for i, delivery := range deliveries {
			ids[i] = delivery.GetId()
		}
		frames <- ids
		watch.add(len(ids))
		select {
		case took := <-watch.done:
			return took, nil
		default:
		}
	}
}

func sendAcks(stream grpc.BidiStreamingClient[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse], frames <-chan []uint64) {
	for ids := range frames {
		for len(frames) > 0 {
			ids = append(ids, <-frames...)
		}
		run := &sluicepb.SettleRun{Ids: ids, Verdict: &sluicepb.SettleRun_Ack{Ack: &sluicepb.Ack{}}}
		settle := &sluicepb.Settle{Runs: []*sluicepb.SettleRun{run}}
		if stream.Send(&sluicepb.ConsumeRequest{Kind: &sluicepb.ConsumeRequest_Settle{Settle: settle}}) != nil {
			return // the receiver is told why
		}
	}
}
