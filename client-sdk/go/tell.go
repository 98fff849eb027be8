package sluice

import (
	"context"
	"log/slog"
	"runtime/debug"
)

// What the app is told: by the log, and by its hooks.

func (s *session) tellState(state State, detail string) {
	s.mu.Lock()
	same := s.stateTold && s.state == state && s.detail == detail
	s.state, s.detail, s.stateTold = state, detail, true
	s.mu.Unlock()
	if same {
		return
	}
	s.logState(state, detail)
	if hook := s.options.onState; hook != nil {
		s.call(func() { hook(state, detail) })
	}
}

func (s *session) logState(state State, detail string) {
	if state == Connecting && detail == "" {
		return // it begins
	}
	level := slog.LevelWarn
	if state == Serving || state == Closed {
		level = slog.LevelInfo
	}
	attributes := []any{"consumer", s.consumer}
	if state == Connecting {
		attributes = append(attributes, "address", s.address)
	}
	if detail != "" {
		attributes = append(attributes, "detail", detail)
	}
	s.log.Log(context.Background(), level, "sluice: "+state.String(), attributes...)
}

func (s *session) tellError(err error) {
	level := slog.LevelError
	if _, ok := err.(*SettleError); ok {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, err.Error(), "consumer", s.consumer)
	if hook := s.options.onError; hook != nil {
		s.call(func() { hook(err) })
	}
}

// call runs a hook. A hook is for telling: if it panics, the stream goes on all the same.
func (s *session) call(hook func()) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("sluice: a hook panicked, and is ignored", "consumer", s.consumer, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	hook()
}
