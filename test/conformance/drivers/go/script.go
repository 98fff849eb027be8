package main

import (
	"context"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"log"
	"runtime"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

const longestToldData = 1024 // bytes

// work does what the message's script says, and returns what a handler of the SDK's would.
func (d *driver) work(r *running, m *sluice.Message) error {
	d.handlers.Add(1)
	defer d.handlers.Done()
	d.tellBegin(r, m)
	if r.spec.Confirm != nil && *r.spec.Confirm {
		go d.tellOutcome(r.name, m)
	}
	w := &worker{driver: d, running: r, m: m, byMethod: r.style != "handler" && r.style != "async"}
	w.follow(d.stepsFor(r, m))
	end := event{"event": "end", "as": r.name, "sequence": m.StreamSequence(), "verdict": w.verdict,
		"cancelled": m.Context().Err() != nil, "time_ns": time.Now().UnixNano()}
	if w.second != nil {
		end["second"] = *w.second
	}
	d.tell(end)
	if w.verdict == "forget" {
		go collectGarbage()
	}
	return w.result
}

func (d *driver) stepsFor(r *running, m *sluice.Message) []string {
	script, _ := m.Header("Script")
	if script == "" {
		return nil
	}
	d.mu.Lock()
	key := attemptKey{r.source, m.StreamSequence()}
	d.attempts[key]++
	attempt := d.attempts[key]
	d.mu.Unlock()
	attempts := strings.Split(script, "|")
	return strings.Split(attempts[min(attempt, len(attempts))-1], ",")
}

// worker is one message on its way through its script.
type worker struct {
	driver   *driver
	running  *running
	m        *sluice.Message
	byMethod bool // it settles by methods, else by what the handler returns
	verdict  string
	result   error
	second   *bool
	seen     bool // that it was cancelled
}

func (w *worker) follow(steps []string) {
	for len(steps) > 0 {
		step := strings.TrimSpace(steps[0])
		steps = steps[1:]
		if name, _, _ := strings.Cut(step, " "); name == "hold" {
			steps = w.hold()
		} else {
			w.do(step)
		}
	}
	if w.verdict == "" {
		w.settle("ack", nil, w.m.Ack)
	}
}

func (w *worker) do(step string) {
	name, argument, _ := strings.Cut(step, " ")
	switch name {
	case "ack":
		w.settle("ack", nil, w.m.Ack)
	case "nak":
		w.settle("nak", sluice.RetryAfter(0), func() bool { return w.m.Nak(0) })
	case "retry":
		delay := milliseconds(argument)
		w.settle("retry", sluice.RetryAfter(delay), func() bool { return w.m.Nak(delay) })
	case "reject":
		w.settle("reject", sluice.Reject(argument), func() bool { return w.m.Term(argument) })
	case "throw":
		w.verdict, w.result = "throw", errors.New("thrown by the script")
		if w.running.style == "fetch" {
			w.m.Nak(0) // there is no turn whose end would do it
		}
	case "forget":
		w.verdict = "forget"
	case "sleep":
		w.sleep(milliseconds(argument))
	case "progress":
		w.m.InProgress()
	case "again":
		second := w.m.Nak(0)
		w.second = &second
	default:
		log.Fatalf("there is no step %q", step)
	}
}

func (w *worker) settle(verdict string, result error, method func() bool) {
	w.verdict, w.result = verdict, result
	if w.byMethod {
		w.result = nil
		method()
	}
}

func (w *worker) sleep(d time.Duration) {
	over := time.After(d)
	select {
	case <-over:
		return
	case <-w.m.Context().Done():
		w.tellCancelled()
	}
	<-over
}

func (w *worker) hold() (steps []string) {
	d, sequence := w.driver, w.m.StreamSequence()
	released := make(chan string, 1)
	d.mu.Lock()
	if steps, early := d.releases[sequence]; early {
		delete(d.releases, sequence)
		released <- steps
	} else {
		d.holds[sequence] = append(d.holds[sequence], released)
	}
	d.mu.Unlock()
	select {
	case steps := <-released:
		return strings.Split(steps, ",")
	case <-w.m.Context().Done():
		w.tellCancelled()
		return []string{"ack"}
	}
}

func (d *driver) release(sequence uint64, steps string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.holds[sequence]) == 0 {
		d.releases[sequence] = steps // its handler has begun, and is not at its hold yet
	}
	for _, released := range d.holds[sequence] {
		released <- steps // nobody else writes to it
	}
	delete(d.holds, sequence)
}

func (w *worker) tellCancelled() {
	if !w.seen {
		w.seen = true
		w.driver.tell(event{"event": "cancelled", "as": w.running.name, "sequence": w.m.StreamSequence()})
	}
}

func (d *driver) tellBegin(r *running, m *sluice.Message) {
	headers := [][2]string{}
	for _, h := range m.Headers() {
		headers = append(headers, [2]string{encode(h.Name), encode(h.Value)})
	}
	begin := event{
		"event": "begin", "as": r.name, "sequence": m.StreamSequence(), "consumer_sequence": m.ConsumerSequence(),
		"num_delivered": m.NumDelivered(), "num_pending": m.NumPending(), "timestamp_ns": m.Timestamp().UnixNano(),
		"subject": encode(m.Subject()), "headers": headers, "key": encode(m.Key()), "size": len(m.Data()),
		"crc32": crc32.ChecksumIEEE(m.Data()), "time_ns": time.Now().UnixNano(),
	}
	if span := trace.SpanContextFromContext(m.Context()); span.IsValid() {
		begin["trace"] = span.TraceID().String()
	} else {
		begin["trace"] = ""
	}
	if len(m.Data()) <= longestToldData {
		begin["data"] = encode(string(m.Data()))
	}
	d.tell(begin)
}

func (d *driver) tellOutcome(as string, m *sluice.Message) {
	outcome, err := m.Outcome(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	d.tell(event{"event": "result", "as": as, "sequence": m.StreamSequence(), "outcome": outcome.String()})
}

// collectGarbage until a message that was let go of is found.
func collectGarbage() {
	for range 20 {
		time.Sleep(50 * time.Millisecond)
		runtime.GC()
	}
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func milliseconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatalf("%q is no number of milliseconds", s)
	}
	return time.Duration(n) * time.Millisecond
}
