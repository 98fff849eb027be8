package sluice

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sluice-sidecar/sluice/client-sdk/go/sluicepb"
)

// gate is a handler that waits to be let through.
type gate struct{ started, open chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 100), make(chan struct{})} }

func (g *gate) handle(context.Context, *Message) error {
	g.started <- struct{}{}
	<-g.open
	return nil
}

func threeAwaited() *sluicepb.DrainReport {
	return &sluicepb.DrainReport{Awaited: 3, Acked: 2, Naked: 1, Phases: []*sluicepb.PhaseDuration{
		{Phase: "SETTLING", Duration: durationpb.New(5 * time.Millisecond)}}}
}

func TestADrainWorksOffWhatIsHereAndReturnsTheReport(t *testing.T) {
	d, g := newFakeDaemon(t), newGate()
	consumption := newTestClient(t, d).Consume(background, "orders", g.handle)
	stream := d.begin()
	stream.deliver(1, 3)
	receiveFrom(t, "the first", g.started)
	reports := make(chan DrainReport)
	go func() {
		report, err := consumption.Drain(background, 7500*time.Millisecond)
		if err != nil {
			t.Errorf("draining: %v", err)
		}
		reports <- report
	}()
	if asked := stream.awaitDrain().GetTimeout().AsDuration(); asked != 7500*time.Millisecond {
		t.Errorf("it asked for %v", asked)
	}
	stream.draining(sluicepb.Draining_REASON_APP, time.Minute)
	close(g.open)
	same(t, "verdicts", stream.awaitVerdicts(3), "1 ack", "2 ack", "3 ack")
	stream.drained(threeAwaited())
	report := receiveFrom(t, "the report", reports)
	if !report.Completed || report.Awaited != 3 || report.Acked != 2 || report.Naked != 1 || report.DeadlineExceeded {
		t.Errorf("report: %+v", report)
	}
	same(t, "phases", report.Phases, Phase{"SETTLING", 5 * time.Millisecond})
}

func TestTheTimeoutOfADrain(t *testing.T) {
	for _, c := range []struct {
		given, asked time.Duration
		isAsked      bool
	}{{0, 0, false}, {-1, 0, true}, {time.Second, time.Second, true}} {
		d := newFakeDaemon(t)
		consumption := newTestClient(t, d).Consume(background, "orders", acks)
		stream := d.begin()
		consumption.StartDrain(c.given)
		consumption.StartDrain(time.Hour) // the first one counts
		drain := stream.awaitDrain()
		if got := drain.GetTimeout(); (got != nil) != c.isAsked || got.AsDuration() != c.asked {
			t.Errorf("of %v it asked for %v", c.given, got)
		}
		stream.drained(&sluicepb.DrainReport{})
		if err := consumption.Wait(background); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
}

func TestADrainMayHandBackWhatWaits(t *testing.T) {
	d, g := newFakeDaemon(t), newGate()
	consumption := newTestClient(t, d).Consume(background, "orders", g.handle, WithHandBack(true))
	stream := d.begin()
	stream.deliver(1, 3)
	receiveFrom(t, "the first", g.started)
	consumption.StartDrain(0)
	same(t, "verdicts", stream.awaitVerdicts(2), "2 nak", "3 nak")
	stream.awaitDrain()
	if early := stream.verdictsBeforeDrain(); early != 0 {
		t.Errorf("%d were handed back before the drain, and would come to this app again", early)
	}
	close(g.open)
	same(t, "verdicts", stream.awaitVerdicts(3), "2 nak", "3 nak", "1 ack")
	stream.drained(nil)
	<-consumption.Done()
}

func TestAHandlerThatOutlivesTheDrainIsTold(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	consumption := newTestClient(t, d).Consume(background, "orders", handler, WithManual())
	stream := d.begin()
	stream.deliver(1, 1)
	m := receiveFrom(t, "the message", messages)
	consumption.StartDrain(-1)
	stream.awaitDrain()
	if m.Context().Err() != nil {
		t.Error("it was told with the drain")
	}
	stream.draining(sluicepb.Draining_REASON_APP, 0)
	receiveFrom(t, "the end of its context, as the daemon does not say that it is over", m.Context().Done())
	m.Ack() // too late, but until here it was not let go of
	stream.drained(&sluicepb.DrainReport{DeadlineExceeded: true})
	<-consumption.Done()
	if report := consumption.Report(); !report.Completed || !report.DeadlineExceeded {
		t.Errorf("report: %+v", report)
	}
}

func TestNothingIsStartedAfterTheDeadline(t *testing.T) {
	d, g := newFakeDaemon(t), newGate()
	consumption := newTestClient(t, d).Consume(background, "orders", g.handle)
	stream := d.begin()
	stream.deliver(1, 3)
	receiveFrom(t, "the first", g.started)
	consumption.StartDrain(0)
	stream.awaitDrain()
	stream.draining(sluicepb.Draining_REASON_APP, 0)
	eventually(t, "the deadline", func() bool { return consumption.session.inbox.halted.Load() })
	close(g.open)
	stream.awaitVerdicts(1)
	stream.drained(nil)
	<-consumption.Done()
	if len(g.started) > 0 {
		t.Errorf("%d were started", len(g.started))
	}
}

func TestADrainOfTheDaemonFinishesTheWorkAndGoesToItsSuccessor(t *testing.T) {
	d, g := newFakeDaemon(t), newGate()
	notices, reports := make(chan Draining, 1), make(chan DrainReport, 1)
	consumption := newTestClient(t, d).Consume(background, "orders", g.handle,
		WithOnDraining(func(notice Draining) { notices <- notice }), WithOnDrained(func(report DrainReport) { reports <- report }))
	stream := d.begin()
	stream.deliver(1, 2)
	receiveFrom(t, "the first", g.started)
	stream.draining(sluicepb.Draining_REASON_DAEMON, time.Minute)
	if notice := receiveFrom(t, "the notice", notices); !notice.ByDaemon || time.Until(notice.Deadline) < 30*time.Second {
		t.Errorf("told: %+v", notice)
	}
	close(g.open)
	same(t, "verdicts", stream.awaitVerdicts(2), "1 ack", "2 ack")
	stream.drained(threeAwaited())
	if report := receiveFrom(t, "the report", reports); report.Awaited != 3 {
		t.Errorf("told: %+v", report)
	}
	d.accept().finish(status.Error(codes.Unavailable, "draining"))
	successor := d.begin()
	successor.deliver(10, 1)
	successor.awaitVerdicts(1)
	if consumption.Report().Completed {
		t.Error("it was not the app's drain")
	}
}

func TestTheDeadlineOfAMessageIsThatOfTheDrain(t *testing.T) {
	d := newFakeDaemon(t)
	handler, messages := kept()
	draining := make(chan struct{})
	newTestClient(t, d).Consume(background, "orders", handler, WithManual(), WithOnDraining(func(Draining) { close(draining) }))
	stream := d.begin()
	stream.deliver(1, 1)
	m := receiveFrom(t, "the message", messages)
	if left := time.Until(m.Deadline()); left < 5*time.Minute || left > 15*time.Minute {
		t.Errorf("its lease lasts %v", left)
	}
	stream.draining(sluicepb.Draining_REASON_DAEMON, time.Minute)
	receiveFrom(t, "the notice", draining)
	if left := time.Until(m.Deadline()); left > time.Minute {
		t.Errorf("%v are left", left)
	}
}

func TestADrainGoesOnAfterAReconnectWithoutNewMessages(t *testing.T) {
	d, g := newFakeDaemon(t), newGate()
	consumption := newTestClient(t, d).Consume(background, "orders", g.handle)
	stream := d.begin()
	stream.deliver(1, 1)
	receiveFrom(t, "the first", g.started)
	consumption.StartDrain(0)
	stream.awaitDrain()
	stream.finish(errBroken)
	next := d.accept()
	if credit := next.open.GetCredit(); credit == nil || credit.GetMessages() != 0 {
		t.Errorf("it opens with the credit %v", credit)
	}
	next.opened(map[uint64]uint64{1: 1})
	next.awaitDrain()
	close(g.open)
	next.awaitVerdicts(1)
	next.drained(threeAwaited())
	<-consumption.Done()
	if !consumption.Report().Completed {
		t.Error("it is not completed")
	}
}

func TestADrainWithoutADaemonHasNothingToWaitFor(t *testing.T) {
	d := newFakeDaemon(t)
	d.kill()
	report, err := newTestClient(t, d).Consume(background, "orders", acks).Drain(background, 0)
	if report.Completed || err != nil {
		t.Errorf("it returned %+v, %v", report, err)
	}
}

func TestADaemonThatIsSilentIsLeft(t *testing.T) {
	d := newFakeDaemon(t)
	consumption := newTestClient(t, d).Consume(background, "orders", acks)
	stream := d.begin()
	ctx, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	if _, err := consumption.Drain(ctx, -1); err != context.DeadlineExceeded {
		t.Errorf("a wait that is cut short returned %v", err)
	}
	stream.awaitDrain()
	stream.awaitOver()
	report, err := consumption.Drain(background, 0)
	if report.Completed || err != nil {
		t.Errorf("it returned %+v, %v", report, err)
	}
}

func TestTheEndOfItsContextDrains(t *testing.T) {
	d, g := newFakeDaemon(t), newGate()
	ctx, cancel := context.WithCancel(background)
	contexts := make(chan context.Context, 1)
	consumption := newTestClient(t, d).Consume(ctx, "orders", func(ctx context.Context, m *Message) error {
		contexts <- ctx
		return g.handle(ctx, m)
	}, WithDrainTimeout(3*time.Second))
	stream := d.begin()
	stream.deliver(1, 1)
	handlers := receiveFrom(t, "the first", contexts)
	cancel()
	if asked := stream.awaitDrain().GetTimeout().AsDuration(); asked != 3*time.Second {
		t.Errorf("it asked for %v", asked)
	}
	if handlers.Err() != nil {
		t.Error("the handler was cancelled, and could not finish")
	}
	close(g.open)
	same(t, "verdicts", stream.awaitVerdicts(1), "1 ack")
	stream.drained(nil)
	<-consumption.Done()
}

// TestMain lets the test's program outlive SIGTERM, which a test sends before Run catches it, and maybe once too often.
func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	os.Exit(m.Run())
}

func TestRunDrainsAtASignalAndAddsUpTheReports(t *testing.T) {
	d := newFakeDaemon(t)
	client := newTestClient(t, d)
	orders, parcels := client.Consume(background, "orders", acks), client.Consume(background, "parcels", acks)
	streams := []*fakeStream{d.begin(), d.begin()}
	type result struct {
		report DrainReport
		err    error
	}
	results := make(chan result)
	go func() {
		report, err := Run(background, orders, parcels)
		results <- result{report, err}
	}()
	eventually(t, "the drain", func() bool {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		return streams[0].isDrained()
	})
	for _, stream := range streams {
		stream.awaitDrain()
		stream.drained(threeAwaited())
	}
	got := receiveFrom(t, "the end of Run", results)
	if got.err != nil || !got.report.Completed || got.report.Awaited != 6 || len(got.report.Phases) != 1 {
		t.Errorf("it returned %+v", got)
	}
}

func TestRunEndsAllWhenOneEndsByItself(t *testing.T) {
	d := newFakeDaemon(t)
	client := newTestClient(t, d)
	orders := client.Consume(background, "orders", acks)
	ordersStream := d.begin()
	parcels := client.Consume(background, "parcels", acks)
	d.accept().finish(status.Error(codes.PermissionDenied, "no"))
	go func() {
		ordersStream.awaitDrain()
		ordersStream.drained(threeAwaited())
	}()
	report, err := Run(background, orders, parcels)
	var end *EndError
	if !errors.As(err, &end) || end.Consumer != "parcels" || report.Completed {
		t.Errorf("it returned %+v, %v", report, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	d := newFakeDaemon(t)
	consumption := newTestClient(t, d).Consume(background, "orders", acks)
	stream := d.begin()
	ctx, cancel := context.WithCancel(background)
	cancel()
	go func() {
		stream.awaitDrain()
		stream.drained(threeAwaited())
	}()
	if report, err := Run(ctx, consumption); err != nil || !report.Completed {
		t.Errorf("it returned %+v, %v", report, err)
	}
}
