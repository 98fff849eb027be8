// bench prints messages per second of this SDK beside a bare gRPC stream of the same language, as JSON lines. Rounds are
// interleaved, so that a slow minute of the machine slows everything: compare the ratios.
//
//	floor    a bare stream that acks whole frames, and does nothing else; server: frames of 256 messages of 128 B
//	handler  the SDK, a handler that acks each message; the same server
//	batches  the SDK, a handler of batches; the same server
//	stub     both styles through the daemon with an upstream that costs nothing, if -stub names that program
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	frameSize    = 256
	payloadBytes = 128
	window       = 4096 // messages without an answer, and the SDK's credit
)

var (
	count  = flag.Int("count", 600_000, "messages a measurement")
	rounds = flag.Int("rounds", 5, "rounds")
	stub   = flag.String("stub", "", "bench_stub_daemon of the daemon's build")
	serve  = flag.String("serve", "", "be the server, on this Unix socket")
	only   = flag.String("only", "", "run this row alone")
)

type row struct {
	name    string
	socket  string
	measure func(address string, count int) (time.Duration, error)
	rates   []float64
}

func main() {
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelError)
	if *serve != "" {
		log.Fatal(serveFrames(*serve))
	}
	if err := bench(); err != nil {
		log.Fatal(err)
	}
}

func bench() error {
	folder, err := os.MkdirTemp("", "sluice-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	frames := filepath.Join(folder, "frames.sock")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	stop, err := start(self, "-serve", frames)
	if err != nil {
		return err
	}
	defer stop()
	rows := []*row{
		{name: "floor", socket: frames, measure: bareStream},
		{name: "handler", socket: frames, measure: handlerStyle},
		{name: "batches", socket: frames, measure: batchStyle},
	}
	if *stub != "" {
		socket := filepath.Join(folder, "stub.sock")
		stop, err := start(*stub, socket, fmt.Sprint(payloadBytes))
		if err != nil {
			return err
		}
		defer stop()
		rows = append(rows, &row{name: "handler_stub", socket: socket, measure: handlerStyle},
			&row{name: "batches_stub", socket: socket, measure: batchStyle})
	}
	if *only != "" {
		rows = slices.DeleteFunc(rows, func(r *row) bool { return r.name != *only })
	}
	for range *rounds {
		for _, r := range rows {
			took, err := r.measure("unix://"+r.socket, *count)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			r.rates = append(r.rates, float64(*count)/took.Seconds())
		}
	}
	return report(rows)
}

func report(rows []*row) error {
	out := json.NewEncoder(os.Stdout)
	for i, r := range rows {
		if err := out.Encode(figure{"go_" + r.name, median(r.rates), "msg/s"}); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if err := out.Encode(figure{"go_" + r.name + "_of_floor", median(r.rates) / median(rows[0].rates), "ratio"}); err != nil {
			return err
		}
	}
	return nil
}

type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// start a server that prints "ready"; stop ends it.
func start(program string, arguments ...string) (stop func(), err error) {
	command := exec.Command(program, arguments...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: build it first: %w", program, err)
	}
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		stop()
		return nil, fmt.Errorf("%s did not get ready: %q, %v", program, line, err)
	}
	return stop, nil
}
