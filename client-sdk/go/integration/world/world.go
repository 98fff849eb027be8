// Package world is a real nats-server with a stream and a real Sluice daemon, for tests.
package world

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Patience is how long a test waits for what must come.
const Patience = time.Minute

const (
	// Stream is the JetStream stream, with all subjects below orders.
	Stream = "ORDERS"
	// Consumer is the one of the daemon's configuration.
	Consumer = "orders"
)

// World is gone at the end of its test.
type World struct {
	// Address of the daemon, as SLUICE_ADDRESS has it.
	Address string

	t      *testing.T
	folder string
	daemon *exec.Cmd
	js     jetstream.JetStream
}

// New starts a nats-server and a daemon. $SLUICE_BIN is the daemon's program; nats-server is that of the PATH, or
// /usr/sbin/nats-server.
func New(t *testing.T) *World {
	t.Helper()
	folder := t.TempDir()
	w := &World{t: t, folder: folder, Address: "unix://" + filepath.Join(folder, "s.sock")}
	url := w.startNATS()
	w.connect(url)
	config := fmt.Sprintf(`nats: {servers: ["%s"]}
listen: {unix: %s}
consumers:
  - name: %s
    stream: %s
    pull: {expires: 200ms}
    config: {ack_wait: 10s}
`, url, filepath.Join(folder, "s.sock"), Consumer, Stream)
	if err := os.WriteFile(filepath.Join(folder, "sluice.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.StartDaemon()
	return w
}

func (w *World) startNATS() (url string) {
	w.t.Helper()
	program, err := exec.LookPath("nats-server")
	if err != nil {
		program = "/usr/sbin/nats-server"
	}
	port := freePort(w.t)
	w.start("nats-server", exec.Command(program, "-js", "-sd", filepath.Join(w.folder, "store"), "-a", "127.0.0.1", "-p", port))
	return "nats://127.0.0.1:" + port
}

func (w *World) connect(url string) {
	w.t.Helper()
	connection, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(connection.Close)
	if w.js, err = jetstream.New(connection); err != nil {
		w.t.Fatal(err)
	}
	Eventually(w.t, "JetStream", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := w.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: Stream, Subjects: []string{"orders.>"}})
		return err == nil
	})
}

// StartDaemon starts it, if it was killed.
func (w *World) StartDaemon() {
	w.t.Helper()
	program := os.Getenv("SLUICE_BIN")
	if program == "" {
		w.t.Fatal("SLUICE_BIN is not set: give the path of the built daemon, as in SLUICE_BIN=build/release/sluice")
	}
	w.daemon = w.start("sluice", exec.Command(program, "serve", "--config", filepath.Join(w.folder, "sluice.yaml")))
}

// KillDaemon as the kernel would.
func (w *World) KillDaemon() {
	_ = w.daemon.Process.Kill()
	_ = w.daemon.Wait()
}

// start a program that is killed at the end of the test, at the latest.
func (w *World) start(name string, command *exec.Cmd) *exec.Cmd {
	w.t.Helper()
	log, err := os.OpenFile(filepath.Join(w.folder, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		w.t.Fatalf("cannot start %s: %v", name, err)
	}
	w.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && w.t.Failed() {
			w.t.Logf("%s:\n%s", name, text)
		}
	})
	return command
}

// Publish a message, stored when it returns.
func (w *World) Publish(subject string, data []byte, headers nats.Header) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if _, err := w.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data, Header: headers}); err != nil {
		w.t.Fatal(err)
	}
}

// AwaitSettled until nothing waits on the server: all is delivered, and all of that has its verdict there.
func (w *World) AwaitSettled() {
	w.t.Helper()
	Eventually(w.t, "everything to be settled", func() bool {
		info, err := w.info()
		return err == nil && info.NumPending == 0 && info.NumAckPending == 0
	})
}

func (w *World) info() (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	consumer, err := w.js.Consumer(ctx, Stream, Consumer)
	if err != nil {
		return nil, err
	}
	return consumer.Info(ctx)
}

// Eventually the condition holds.
func Eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
