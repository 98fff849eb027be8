// bench prints messages per second of this SDK beside a bare gRPC stream of the same language, as JSON lines. Rounds are
// interleaved, so that a slow minute of the machine slows everything: compare the ratios.
//
//	floor    a bare stream that acks whole frames, and does nothing else; bench_floor sends frames of 256 messages of 128 B,
//	         with resume tokens, as the SDK has them
//	handler  the SDK, a handler that acks each message, through bench_stub_daemon: the daemon, its upstream costs nothing
//	batches  the same with a handler of batches
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
	payloadBytes = 128
	window       = 4096 // messages without an answer, and the SDK's credit
)

var (
	count   = flag.Int("count", 600_000, "messages a measurement")
	rounds  = flag.Int("rounds", 5, "rounds")
	servers = flag.String("servers", ".", "where bench_floor and bench_stub_daemon are")
	only    = flag.String("only", "", "run this row alone")
)

type row struct {
	name    string
	address string
	measure func(address string, count int) (time.Duration, error)
	rates   []float64
}

func main() {
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelError)
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
	floor, daemon := "unix:"+filepath.Join(folder, "floor.sock"), filepath.Join(folder, "daemon.sock")
	stopFloor, err := start(filepath.Join(*servers, "bench_floor"), floor, fmt.Sprint(payloadBytes), fmt.Sprint(window))
	if err != nil {
		return err
	}
	defer stopFloor()
	stopDaemon, err := start(filepath.Join(*servers, "bench_stub_daemon"), daemon, fmt.Sprint(payloadBytes))
	if err != nil {
		return err
	}
	defer stopDaemon()
	rows := []*row{
		{name: "floor", address: floor, measure: bareStream},
		{name: "handler", address: "unix:" + daemon, measure: handlerStyle},
		{name: "batches", address: "unix:" + daemon, measure: batchStyle},
	}
	if *only != "" {
		rows = slices.DeleteFunc(rows, func(r *row) bool { return r.name != *only })
	}
	for range *rounds {
		for _, r := range rows {
			took, err := r.measure(r.address, *count)
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
