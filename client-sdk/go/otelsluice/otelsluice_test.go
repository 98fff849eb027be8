package otelsluice

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// oneMessage is a daemon that delivers one message with these headers to every stream.
type oneMessage struct {
	sluicepb.UnimplementedConsumerServiceServer
	headers []*sluicepb.Header
}

func (d oneMessage) Consume(stream grpc.BidiStreamingServer[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse]) error {
	delivery := &sluicepb.Delivery{Id: 1, StreamSequence: 1, NumDelivered: 1, Headers: d.headers}
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
		if _, err := stream.Recv(); err != nil {
			return nil // half-closed
		}
	}
}

// contextOf a handler whose message has these headers.
func contextOf(t *testing.T, option sluice.Option, headers ...sluice.Header) context.Context {
	t.Helper()
	var d oneMessage
	for _, h := range headers {
		d.headers = append(d.headers, &sluicepb.Header{Name: []byte(h.Name), Value: []byte(h.Value)})
	}
	socket := filepath.Join(t.TempDir(), "s.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	sluicepb.RegisterConsumerServiceServer(server, d)
	go server.Serve(listener)
	defer server.Stop()
	client, err := sluice.NewClient(sluice.WithAddress("unix://" + socket))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	contexts := make(chan context.Context, 1)
	client.Consume(context.Background(), "orders", func(ctx context.Context, _ *sluice.Message) error {
		contexts <- ctx
		return nil
	}, option)
	select {
	case ctx := <-contexts:
		return ctx
	case <-time.After(20 * time.Second):
		t.Fatal("the handler was not called")
		return nil
	}
}

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTheHandlersSpansAreChildrenOfThePublishers(t *testing.T) {
	for _, name := range []string{"traceparent", "Traceparent"} {
		ctx := contextOf(t, WithTraceContext(), sluice.Header{Name: name, Value: parent}, sluice.Header{Name: "tracestate", Value: "a=1"})
		span := trace.SpanContextFromContext(ctx)
		if !span.IsRemote() || !span.IsSampled() || span.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" ||
			span.SpanID().String() != "00f067aa0ba902b7" || span.TraceState().String() != "a=1" {
			t.Errorf("of the header %s came %+v", name, span)
		}
	}
}

func TestWithoutAGoodHeaderThereIsNoSpan(t *testing.T) {
	for _, value := range []string{"", "00-xyz"} {
		if span := trace.SpanContextFromContext(contextOf(t, WithTraceContext(), sluice.Header{Name: "traceparent", Value: value})); span.IsValid() {
			t.Errorf("of %q came %+v", value, span)
		}
	}
}

func TestOtherPropagatorsReadTheHeadersToo(t *testing.T) {
	ctx := contextOf(t, WithPropagator(propagation.Baggage{}), sluice.Header{Name: "baggage", Value: "customer=7"})
	if got := baggage.FromContext(ctx).Member("customer").Value(); got != "7" {
		t.Errorf("the customer is %q", got)
	}
}

func TestTheCarrierNamesEachHeaderOnce(t *testing.T) {
	h := headers{{Name: "a", Value: "1"}, {Name: "b"}, {Name: "a", Value: "2"}}
	h.Set("a", "3")
	if h.Get("A") != "1" || h.Get("c") != "" || !slices.Equal(h.Keys(), []string{"a", "b"}) {
		t.Errorf("it has %v, of which a is %q", h.Keys(), h.Get("A"))
	}
}
