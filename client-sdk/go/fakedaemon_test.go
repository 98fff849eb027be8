package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// What a test waits for has come by then, or never will.
const patience = 20 * time.Second

var errBroken = status.Error(codes.Unavailable, "broken")

// fakeDaemon is a daemon without NATS, on a Unix socket of its own, that does what the test says.
type fakeDaemon struct {
	sluicepb.UnimplementedConsumerServiceServer
	t       *testing.T
	socket  string
	server  *grpc.Server
	streams chan *fakeStream
}

func newFakeDaemon(t *testing.T) *fakeDaemon {
	d := &fakeDaemon{t: t, socket: filepath.Join(t.TempDir(), "s.sock"), streams: make(chan *fakeStream, 100)}
	d.start()
	t.Cleanup(d.kill)
	return d
}

func (d *fakeDaemon) address() string { return "unix://" + d.socket }

func (d *fakeDaemon) start() {
	d.t.Helper()
	listener, err := net.Listen("unix", d.socket)
	if err != nil {
		d.t.Fatal(err)
	}
	d.server = grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))
	sluicepb.RegisterConsumerServiceServer(d.server, d)
	go d.server.Serve(listener)
}

// kill: it dies, with all its streams; start brings it back at the same address.
func (d *fakeDaemon) kill() { d.server.Stop() }

// accept is the next stream that was opened.
func (d *fakeDaemon) accept() *fakeStream {
	d.t.Helper()
	select {
	case s := <-d.streams:
		return s
	case <-time.After(patience):
		d.t.Fatal("no stream was opened")
		return nil
	}
}

// begin is the next stream, with its Opened.
func (d *fakeDaemon) begin() *fakeStream {
	d.t.Helper()
	s := d.accept()
	s.opened(nil)
	return s
}

// fakeStream is the daemon's end of one Consume stream, played by a test.
type fakeStream struct {
	t        *testing.T
	open     *sluicepb.Open
	stream   grpc.BidiStreamingServer[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse]
	finished chan error

	mu         sync.Mutex
	changed    chan struct{} // closed and made anew with each change
	verdicts   []string      // "7 ack", in their order
	settles    int           // requests
	drains     []*sluicepb.Drain
	early      int // verdicts before the first drain
	credits    []uint32
	halfClosed bool
	over       bool
}

func (d *fakeDaemon) Consume(stream grpc.BidiStreamingServer[sluicepb.ConsumeRequest, sluicepb.ConsumeResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	s := &fakeStream{t: d.t, open: first.GetOpen(), stream: stream, finished: make(chan error, 1), changed: make(chan struct{})}
	s.credits = []uint32{s.open.GetCredit().GetMessages()}
	d.streams <- s
	go s.receive()
	defer s.change(func() { s.over = true })
	select {
	case err := <-s.finished:
		return err
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

func (s *fakeStream) receive() {
	for {
		request, err := s.stream.Recv()
		if err != nil {
			s.change(func() { s.halfClosed = errors.Is(err, io.EOF) })
			if s.halfClosed {
				s.finish(nil)
			}
			return
		}
		s.change(func() { s.record(request) })
	}
}

func (s *fakeStream) record(request *sluicepb.ConsumeRequest) {
	switch kind := request.GetKind().(type) {
	case *sluicepb.ConsumeRequest_Settle:
		s.settles++
		for _, run := range strings.Split(describe(request), "; ") {
			ids, word, _ := strings.Cut(run, " ")
			for id := range strings.SplitSeq(ids, ",") {
				s.verdicts = append(s.verdicts, id+" "+word)
			}
		}
	case *sluicepb.ConsumeRequest_Credit:
		s.credits = append(s.credits, kind.Credit.GetMessages())
	case *sluicepb.ConsumeRequest_Drain:
		if len(s.drains) == 0 {
			s.early = len(s.verdicts)
		}
		s.drains = append(s.drains, kind.Drain)
	}
}

func (s *fakeStream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// await until the condition holds, which is looked at with the mutex.
func (s *fakeStream) await(what string, condition func() bool) {
	s.t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		holds, changed := condition(), s.changed
		s.mu.Unlock()
		if holds {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.t.Fatalf("waited for %s; verdicts so far: %q", what, s.verdicts)
		}
	}
}

// awaitVerdicts until there are so many, and returns all.
func (s *fakeStream) awaitVerdicts(count int) []string {
	s.t.Helper()
	s.await("verdicts", func() bool { return len(s.verdicts) >= count })
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.verdicts)
}

func (s *fakeStream) awaitDrain() *sluicepb.Drain {
	s.t.Helper()
	s.await("the app's drain", func() bool { return len(s.drains) > 0 })
	return s.drains[0]
}

func (s *fakeStream) verdictsBeforeDrain() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.early
}

func (s *fakeStream) isDrained() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.drains) > 0
}

func (s *fakeStream) awaitOver() {
	s.t.Helper()
	s.await("the end of the stream", func() bool { return s.over })
}

func (s *fakeStream) awaitCredit(condition func(uint32) bool) {
	s.t.Helper()
	s.await("a credit", func() bool { return condition(s.credits[len(s.credits)-1]) })
}

func (s *fakeStream) send(response *sluicepb.ConsumeResponse) {
	s.t.Helper()
	if err := s.stream.Send(response); err != nil {
		s.t.Errorf("the app takes no response: %v", err)
	}
}

// opened answers which of what the app named it still has: old id -> new id.
func (s *fakeStream) opened(resumed map[uint64]uint64) {
	s.t.Helper()
	opened := &sluicepb.Opened{Server: "fake", MaxLease: durationpb.New(10 * time.Minute)}
	for heldID, id := range resumed {
		opened.Resumed = append(opened.Resumed, &sluicepb.Resumed{HeldId: heldID, Id: id})
	}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_Opened{Opened: opened}})
}

// deliver ids and stream sequences first .. first+count-1 in one frame.
func (s *fakeStream) deliver(first uint64, count int, change ...func(*sluicepb.Delivery)) {
	s.t.Helper()
	deliveries := &sluicepb.Deliveries{}
	for i := range uint64(count) {
		d := &sluicepb.Delivery{
			Id: first + i, StreamSequence: first + i, ConsumerSequence: first + i, NumDelivered: 1,
			Token: fmt.Appendf(nil, "token of %d", first+i), Subject: []byte("orders.new"), Timestamp: &timestamppb.Timestamp{Seconds: int64(first + i)},
		}
		for _, f := range change {
			f(d)
		}
		deliveries.Deliveries = append(deliveries.Deliveries, d)
	}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_Deliveries{Deliveries: deliveries}})
}

func (s *fakeStream) draining(reason sluicepb.Draining_Reason, within time.Duration) {
	s.t.Helper()
	draining := &sluicepb.Draining{Reason: reason, Deadline: timestamppb.New(time.Now().Add(within))}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_Draining{Draining: draining}})
}

// drained ends the stream with a report.
func (s *fakeStream) drained(report *sluicepb.DrainReport) {
	s.t.Helper()
	drained := &sluicepb.Drained{Report: report}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_Drained{Drained: drained}})
	s.finish(nil)
}

func (s *fakeStream) results(outcome sluicepb.SettleResult_Outcome, ids ...uint64) {
	s.t.Helper()
	result := &sluicepb.SettleResult{Outcome: outcome, Ids: ids, Detail: "said the test"}
	results := &sluicepb.SettleResults{Results: []*sluicepb.SettleResult{result}}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_SettleResults{SettleResults: results}})
}

func (s *fakeStream) leasesEnded(ids ...uint64) {
	s.t.Helper()
	ended := &sluicepb.LeasesEnded{Ids: ids}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_LeasesEnded{LeasesEnded: ended}})
}

func (s *fakeStream) state(kind sluicepb.State_Kind, detail string) {
	s.t.Helper()
	state := &sluicepb.State{Kind: kind, Detail: detail}
	s.send(&sluicepb.ConsumeResponse{Kind: &sluicepb.ConsumeResponse_State{State: state}})
}

// finish ends it; the first one counts. A half-close ends it by itself.
func (s *fakeStream) finish(err error) {
	select {
	case s.finished <- err:
	default:
	}
}

// resumeIDs of what the app named when it opened the stream.
func (s *fakeStream) resumeIDs() (ids []uint64) {
	for _, h := range s.open.GetResume() {
		ids = append(ids, h.GetId())
	}
	return ids
}

// again: a redelivery, by which time ids are other ones.
func again(d *sluicepb.Delivery) {
	d.Id += 500
	d.NumDelivered = 2
}

// newTestClient tries again soon; it is closed at the end of the test.
func newTestClient(t *testing.T, d *fakeDaemon, opts ...ClientOption) *Client {
	t.Helper()
	opts = append([]ClientOption{WithAddress(d.address()), WithBackoff(time.Millisecond, 10*time.Millisecond)}, opts...)
	client, err := NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// receiveFrom a channel, or fail.
func receiveFrom[T any](t *testing.T, what string, c <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-c:
	case <-time.After(patience):
		t.Fatalf("waited for %s", what)
	}
	return value
}

// eventually the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

func acks(context.Context, *Message) error { return nil }

// kept gives what arrives to the test, which settles it: for WithManual.
func kept() (Handler, <-chan *Message) {
	messages := make(chan *Message, 1000)
	return func(_ context.Context, m *Message) error {
		messages <- m
		return nil
	}, messages
}
