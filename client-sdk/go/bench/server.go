package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// frameServer sends the same frame over and over, with new ids, as long as the app answers.
type frameServer struct {
	sluicepb.UnimplementedConsumerServiceServer
}

func serveFrames(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(math.MaxInt32), grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(1<<20))
	sluicepb.RegisterConsumerServiceServer(server, frameServer{})
	fmt.Println("ready")
	return server.Serve(listener)
}

func (frameServer) Consume(stream grpc.BidiStreamingServer[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse]) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	opened := &sluicepb.Opened{Server: "bench", MaxBatch: frameSize}
	if err := stream.Send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_Opened{Opened: opened}}); err != nil {
		return err
	}
	w := &answers{}
	w.changed.L = &w.mu
	go sendFrames(stream, w)
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			n := 0
			for _, run := range request.GetSettle().GetRuns() {
				n += len(run.GetIds())
			}
			w.take(n)
			continue
		}
		w.end()
		return err
	}
}

// answers counts what the app has not answered yet.
type answers struct {
	mu      sync.Mutex
	changed sync.Cond
	due     int
	ended   bool
}

func (a *answers) take(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due -= n
	a.changed.Signal()
}

func (a *answers) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	a.changed.Signal()
}

// awaitRoom for a frame; false: the stream is over.
func (a *answers) awaitRoom() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for !a.ended && a.due+frameSize > window {
		a.changed.Wait()
	}
	a.due += frameSize
	return !a.ended
}

func sendFrames(stream grpc.BidiStreamingServer[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse], w *answers) {
	deliveries := make([]*sluicepb.Delivery, frameSize)
	for i := range deliveries {
		deliveries[i] = &sluicepb.Delivery{
			Subject:      []byte("bench.subject"),
			Data:         []byte(strings.Repeat("x", payloadBytes)),
			NumDelivered: 1,
			Timestamp:    &timestamppb.Timestamp{Seconds: 1_700_000_000},
		}
	}
	frame := &sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_Deliveries{
		Deliveries: &sluicepb.Deliveries{Deliveries: deliveries}}}
	for sequence := uint64(0); w.awaitRoom(); {
		for _, delivery := range deliveries {
			sequence++
			delivery.Id, delivery.StreamSequence, delivery.ConsumerSequence = sequence, sequence, sequence
		}
		if stream.Send(frame) != nil {
			return // the receiver is told why
		}
	}
}
