package sluice

import (
	"context"
	"testing"
	"time"
)

type contextKey struct{}

func TestAMessageContextHasTheValuesOfItsConsumption(t *testing.T) {
	c := &messageContext{values: context.WithValue(context.Background(), contextKey{}, "value")}
	if c.Value(contextKey{}) != "value" || c.Err() != nil {
		t.Errorf("it has %v, %v", c.Value(contextKey{}), c.Err())
	}
	if _, has := c.Deadline(); has {
		t.Error("it has a deadline, which may change")
	}
}

func TestAMessageContextCancelsWhatIsDerivedFromIt(t *testing.T) {
	c := &messageContext{values: context.Background()}
	done := c.Done()
	child, cancel := context.WithTimeout(c, time.Hour)
	defer cancel()
	other, stop := context.WithCancel(c)
	stop() // lets go of its parent
	c.cancel()
	c.cancel()
	<-done
	<-child.Done()
	if c.Err() != context.Canceled || child.Err() != context.Canceled || other.Err() != context.Canceled {
		t.Errorf("errors: %v, %v, %v", c.Err(), child.Err(), other.Err())
	}
	if c.after != nil {
		t.Error("it still knows its children")
	}
	late, cancel := context.WithCancel(c)
	defer cancel()
	<-late.Done()
	<-c.Done()
}

func TestAfterFuncIsCalledOnceUnlessItIsStopped(t *testing.T) {
	c := &messageContext{values: context.Background()}
	called := make(chan string, 3)
	stop := context.AfterFunc(c, func() { called <- "stopped" })
	context.AfterFunc(c, func() { called <- "waiting" })
	if !stop() || stop() {
		t.Error("it can be stopped once")
	}
	c.cancel()
	if got := <-called; got != "waiting" {
		t.Errorf("the %s one was called", got)
	}
	context.AfterFunc(c, func() { called <- "late" })
	if got := <-called; got != "late" {
		t.Errorf("the %s one was called", got)
	}
}
