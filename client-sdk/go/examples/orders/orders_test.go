package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-sidecar/sluice/client-sdk/go/integration/world"
)

// asWorker makes this test's program the worker itself, in a process of its own.
const asWorker = "SLUICE_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type worker struct {
	*exec.Cmd
	out strings.Builder
}

func startWorker(t *testing.T, w *world.World, database string) *worker {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	started := &worker{Cmd: exec.Command(program, "-database", database, "-consumer", world.Consumer)}
	started.Env = append(os.Environ(), asWorker+"=1", "SLUICE_ADDRESS="+w.Address)
	started.Stdout, started.Stderr = &started.out, os.Stderr
	started.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := started.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = started.Process.Kill() })
	return started
}

// end it, by SIGTERM, and expect that its drain was completed.
func (w *worker) end(t *testing.T) {
	t.Helper()
	if err := w.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(); err != nil || !strings.Contains(w.out.String(), `"completed":true`) {
		t.Errorf("the worker ended with %v, and said %q", err, w.out.String())
	}
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Orders are published twice, with others between them that are none; workers come, are drained, and are killed.
func TestEachOrderIsBookedOnce(t *testing.T) {
	const orders, customers = 300, 7
	w := world.New(t)
	database := filepath.Join(t.TempDir(), "orders.db")
	b, err := openBooks(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	want := map[string]int64{}
	for i := range orders {
		o := order{ID: fmt.Sprint("o-", i), Customer: fmt.Sprint("c-", i%customers), Cents: int64(100 + i)}
		want[o.Customer] += o.Cents
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		w.Publish("orders.new", data, nil)
		w.Publish("orders.new", data, nil)
		if i%50 == 0 {
			w.Publish("orders.new", []byte("not an order"), nil)
		}
	}
	booked := func(atLeast int) {
		t.Helper()
		world.Eventually(t, fmt.Sprint(atLeast, " orders"), func() bool { return count(t, b.DB, `SELECT count(*) FROM orders`) >= atLeast })
	}

	drained := startWorker(t, w, database)
	booked(50)
	drained.end(t)
	killed := startWorker(t, w, database)
	booked(150)
	_ = killed.Process.Kill()
	_ = killed.Wait()
	last := startWorker(t, w, database)
	booked(orders)
	w.AwaitSettled()
	last.end(t)

	if got := count(t, b.DB, `SELECT count(*) FROM orders`); got != orders {
		t.Errorf("%d of %d orders are booked", got, orders)
	}
	for customer, cents := range want {
		var got int64
		if err := b.QueryRow(`SELECT cents FROM balances WHERE customer = ?`, customer).Scan(&got); err != nil || got != cents {
			t.Errorf("%s has %d cents, want %d: %v", customer, got, cents, err)
		}
	}
}
