package sluice

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// Run is for main: it waits for SIGTERM, SIGINT or the end of ctx, drains, and returns the report. A second SIGINT kills
// the process. It returns also when all of them have ended, and drains the others when one ends by itself; the error is
// then the reason. Of several the report is the sum. The drain's timeout is that of [WithDrainTimeout].
//
// It catches the two signals until it returns; not by several goroutines at once.
func Run(ctx context.Context, consumptions ...*Consumption) (DrainReport, error) {
	terminated, interrupted := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	defer signal.Stop(terminated)
	signal.Notify(interrupted, syscall.SIGINT)
	defer signal.Stop(interrupted)
	ended := make(chan error, len(consumptions))
	for _, c := range consumptions {
		go func() { ended <- c.Wait(context.Background()) }()
	}
	var errs []error
	for draining, left := false, len(consumptions); left > 0; {
		select {
		case err := <-ended:
			left--
			errs = append(errs, err)
			if err == nil || draining {
				continue
			}
		case <-terminated:
		case <-interrupted:
		case <-ctx.Done():
		}
		draining, ctx = true, context.Background()
		signal.Stop(interrupted) // the next one kills
		for _, c := range consumptions {
			c.StartDrain(c.session.options.drainTimeout)
		}
	}
	return reportOfAll(consumptions), errors.Join(errs...)
}

func reportOfAll(consumptions []*Consumption) DrainReport {
	var report DrainReport
	for i, c := range consumptions {
		if i == 0 {
			report = c.Report()
		} else {
			report = report.and(c.Report())
		}
	}
	return report
}
