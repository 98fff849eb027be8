// outsider is a program of somebody else's, who uses the SDK by its module path: `make package` copies it to an empty
// place, and runs it there. It plays the daemon too, has a message handled, and prints "handled order 1, acked".
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	folder, err := os.MkdirTemp("", "sluice-outsider")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "s.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	d := daemon{acked: make(chan struct{})}
	server := grpc.NewServer()
	sluicepb.RegisterConsumerServiceServer(server, d)
	go server.Serve(listener)
	defer server.Stop()

	client, err := sluice.NewClient(sluice.WithAddress("unix://" + socket))
	if err != nil {
		return err
	}
	defer client.Close()
	handled := make(chan string, 1)
	client.Consume(context.Background(), "orders", func(_ context.Context, m *sluice.Message) error {
		handled <- string(m.Data())
		return nil
	})
	select {
	case <-d.acked:
		fmt.Printf("handled %s, acked\n", <-handled)
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("nothing was acked")
	}
}

// daemon delivers one message to every stream.
type daemon struct {
	sluicepb.UnimplementedConsumerServiceServer
	acked chan struct{}
}

func (d daemon) Consume(stream grpc.BidiStreamingServer[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse]) error {
	delivery := &sluicepb.Delivery{Id: 1, StreamSequence: 1, NumDelivered: 1, Data: []byte("order 1")}
	deliveries := &sluicepb.Deliveries{Deliveries: []*sluicepb.Delivery{delivery}}
	for _, response := range []*sluicepb.ConsumeResponse{
		{Kind: &sluicepb.ConsumeResponse_Opened{Opened: &sluicepb.Opened{}}},
		{Kind: &sluicepb.ConsumeResponse_Deliveries{Deliveries: deliveries}},
	} {
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil // half-closed
		}
		if runs := request.GetSettle().GetRuns(); len(runs) == 1 && runs[0].GetAck() != nil {
			close(d.acked)
		}
	}
}
