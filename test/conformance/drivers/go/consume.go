package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
	"github.com/sluice-sidecar/sluice/client-sdk/go/otelsluice"
)

type commandOptions struct {
	Concurrency    *int
	CreditMessages *int   `json:"credit_messages"`
	CreditBytes    *int64 `json:"credit_bytes"`
	MaxBatch       *int   `json:"max_batch"`
	HandBack       *bool  `json:"hand_back"`
	Confirm        *bool
	Resumable      *bool
	ClientID       string `json:"client_id"`
	Remembered     *int
	Key            string
	BreakAfter     int `json:"break_after"`
}

func given[T any](value *T, option func(T) sluice.Option) []sluice.Option {
	if value == nil {
		return nil
	}
	return []sluice.Option{option(*value)}
}

func (d *driver) options(r *running) []sluice.Option {
	o := r.spec
	var options []sluice.Option
	options = append(options, given(o.Concurrency, sluice.WithConcurrency)...)
	options = append(options, given(o.CreditMessages, sluice.WithCredit)...)
	options = append(options, given(o.CreditBytes, sluice.WithCreditBytes)...)
	options = append(options, given(o.MaxBatch, sluice.WithMaxBatch)...)
	options = append(options, given(o.HandBack, sluice.WithHandBack)...)
	options = append(options, given(o.Confirm, sluice.WithConfirm)...)
	options = append(options, given(o.Resumable, sluice.WithResumable)...)
	options = append(options, given(o.Remembered, sluice.WithRemembered)...)
	if header, ok := strings.CutPrefix(o.Key, "header:"); ok {
		options = append(options, sluice.WithKey(func(m *sluice.Message) string {
			value, _ := m.Header(header)
			return value
		}))
	} else if o.Key == "subject" {
		options = append(options, sluice.WithKey((*sluice.Message).Subject))
	}
	if r.style == "manual" {
		options = append(options, sluice.WithManual())
	}
	return append(options,
		otelsluice.WithTraceContext(),
		sluice.WithOnState(func(state sluice.State, detail string) {
			d.tell(event{"event": "state", "as": r.name, "state": state.String(), "detail": detail})
		}),
		sluice.WithOnDraining(func(draining sluice.Draining) {
			d.tell(event{"event": "draining", "as": r.name, "by_daemon": draining.ByDaemon})
		}),
		sluice.WithOnError(func(err error) {
			d.tell(event{"event": "error", "as": r.name, "message": err.Error()})
		}))
}

func (d *driver) consume(c command) {
	r := &running{name: c.As, style: c.Style, spec: c.Options, source: c.Consumer}
	var clientOptions []sluice.ClientOption
	if r.spec.ClientID != "" {
		clientOptions = append(clientOptions, sluice.WithClientID(r.spec.ClientID))
	}
	client, err := sluice.NewClient(clientOptions...)
	if err != nil {
		log.Fatal(err)
	}
	r.client = client
	ctx := context.Background()
	switch r.style {
	case "handler", "async", "manual":
		r.Consumption = client.Consume(ctx, c.Consumer, func(_ context.Context, m *sluice.Message) error {
			return d.work(r, m)
		}, d.options(r)...)
	case "iterator":
		messages := client.Messages(ctx, c.Consumer, d.options(r)...)
		r.Consumption = messages.Consumption
		go d.loop(r, messages)
	case "fetch":
		r.fetcher = client.Fetcher(ctx, c.Consumer, d.options(r)...)
		r.Consumption = r.fetcher.Consumption
	default:
		log.Fatalf("there is no style %q", r.style)
	}
	d.mu.Lock()
	d.running[r.name] = r
	d.mu.Unlock()
	go func() {
		<-r.Done()
		d.tellClosed(r)
	}()
}

func (d *driver) loop(r *running, messages *sluice.Messages) {
	seen := 0
	for m, err := range messages.All(context.Background()) {
		if err != nil {
			return // told as closed
		}
		if err := d.work(r, m); err != nil {
			log.Printf("message %d: %v", m.StreamSequence(), err)
		}
		if seen++; seen == r.spec.BreakAfter {
			break
		}
	}
	if r.spec.BreakAfter > 0 && seen == r.spec.BreakAfter {
		d.drain(r, nil)
	}
}

func (d *driver) fetch(r *running, c command) {
	messages, err := r.fetcher.Fetch(context.Background(), c.N, time.Duration(c.MaxWaitMS)*time.Millisecond)
	if err != nil {
		d.tell(event{"event": "error", "as": r.name, "message": err.Error()})
	}
	for i, m := range messages {
		messages[i] = nil
		if err := d.work(r, m); err != nil {
			log.Printf("message %d: %v", m.StreamSequence(), err)
		}
	}
	d.tell(event{"event": "fetched", "as": r.name, "count": len(messages)})
}

func (d *driver) drain(r *running, timeoutMS *int64) {
	timeout := time.Duration(0)
	if timeoutMS != nil {
		if timeout = time.Duration(*timeoutMS) * time.Millisecond; timeout == 0 {
			timeout = -1
		}
	}
	report, err := r.Drain(context.Background(), timeout)
	if err != nil {
		log.Printf("draining %s: %v", r.name, err)
	}
	d.tellDrained(r, report)
}

func (d *driver) run(r *running) {
	report, err := sluice.Run(context.Background(), r.Consumption)
	if err != nil {
		log.Printf("running %s: %v", r.name, err)
	}
	d.tellDrained(r, report)
	d.tellClosed(r)
	if !report.Completed {
		os.Exit(1)
	}
	os.Exit(0)
}

func (d *driver) tellDrained(r *running, report sluice.DrainReport) {
	d.tell(event{"event": "drained", "as": r.name, "report": event{
		"completed": report.Completed, "deadline_exceeded": report.DeadlineExceeded, "awaited": report.Awaited,
		"acked": report.Acked, "terminated": report.Terminated, "naked": report.Naked, "expired": report.Expired,
		"late": report.Late, "released": report.Released, "unsettled": report.Unsettled,
		"dead_lettered": report.DeadLettered,
	}})
}

func (d *driver) tellClosed(r *running) {
	r.closedTold.Do(func() {
		code, message := "OK", ""
		if err := r.Err(); err != nil {
			code, message = codeOf(err), err.Error()
		}
		d.tell(event{"event": "closed", "as": r.name, "code": code, "message": message})
	})
}

func codeOf(err error) string {
	var end *sluice.EndError
	if !errors.As(err, &end) {
		return "INVALID_ARGUMENT" // an option out of its limits
	}
	switch code := status.Code(end); code {
	case codes.NotFound:
		return "NOT_FOUND"
	case codes.InvalidArgument:
		return "INVALID_ARGUMENT"
	case codes.PermissionDenied:
		return "PERMISSION_DENIED"
	case codes.Unimplemented:
		return "UNIMPLEMENTED"
	default:
		return fmt.Sprint(code)
	}
}

func (d *driver) tellStats(r *running) {
	s := r.Stats()
	d.tell(event{"event": "stats", "as": r.name, "stats": event{
		"received": s.Received, "acked": s.Acked, "naked": s.Naked, "terminated": s.Terminated, "thrown": s.Thrown,
		"in_flight": s.InFlight, "streams": s.Streams, "lost": s.Lost, "refused": s.Refused, "rejoined": s.Rejoined,
		"late": s.Late, "not_held": s.NotHeld, "failed": s.Failed,
	}})
}
