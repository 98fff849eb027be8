// The conformance driver: puts the Go SDK into the hands of the runner. See test/conformance/README.md.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"sync"
	"time"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

func main() {
	log.SetFlags(log.Lmicroseconds) // to standard error, as slog's default does
	d := &driver{events: json.NewEncoder(os.Stdout), attempts: map[attemptKey]int{}, holds: map[uint64][]chan string{},
		releases: map[uint64]string{}, running: map[string]*running{}}
	d.tell(event{"event": "ready"})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatalf("cannot read the command %q: %v", lines.Text(), err)
		}
		d.do(c)
	}
	d.stopAll()
	d.awaitHandlers()
}

type event map[string]any

type command struct {
	Do        string
	As        string
	Consumer  string
	Style     string
	Options   commandOptions
	N         int
	MaxWaitMS int64 `json:"max_wait_ms"`
	Sequence  uint64
	Steps     string
	TimeoutMS *int64 `json:"timeout_ms"`
}

type attemptKey struct {
	consumer string
	sequence uint64
}

type driver struct {
	writing sync.Mutex
	events  *json.Encoder

	mu       sync.Mutex
	attempts map[attemptKey]int
	holds    map[uint64][]chan string // by stream sequence: who waits for a release
	releases map[uint64]string        // that came before their hold
	running  map[string]*running

	handlers sync.WaitGroup // have begun, and not told their end
}

// running is one consumption, by its name.
type running struct {
	*sluice.Consumption
	client  *sluice.Client
	name    string
	style   string
	spec    commandOptions
	source  string // the consumer
	fetcher *sluice.Fetcher

	closedTold sync.Once
}

func (d *driver) tell(e event) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.events.Encode(e); err != nil {
		log.Fatalf("cannot tell an event: %v", err)
	}
}

func (d *driver) do(c command) {
	if c.Do == "consume" {
		d.consume(c)
		return
	}
	if c.Do == "release" {
		d.release(c.Sequence, c.Steps)
		return
	}
	d.mu.Lock()
	r := d.running[c.As]
	d.mu.Unlock()
	if r == nil {
		log.Fatalf("%s: nothing is consumed as %q", c.Do, c.As)
	}
	switch c.Do {
	case "fetch":
		go d.fetch(r, c)
	case "drain":
		go d.drain(r, c.TimeoutMS)
	case "stop":
		go r.Stop()
	case "stats":
		d.tellStats(r)
	case "run":
		go d.run(r)
	default:
		log.Fatalf("there is no command %q", c.Do)
	}
}

// awaitHandlers lets those that were cancelled say so; some scenarios have one that hangs.
func (d *driver) awaitHandlers() {
	ended := make(chan struct{})
	go func() {
		d.handlers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
}

func (d *driver) stopAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.running {
		if err := r.client.Close(); err != nil {
			log.Printf("closing the client of %s: %v", r.name, err)
		}
	}
}
