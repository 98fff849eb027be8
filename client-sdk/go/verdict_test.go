package sluice

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAHandlersErrorIsItsVerdict(t *testing.T) {
	cause := errors.New("no connection")
	for _, c := range []struct {
		err    error
		want   verdict
		thrown bool
	}{
		{nil, ack(), false},
		{cause, nak(0), true},
		{RetryAfter(time.Second), nak(time.Second), false},
		{fmt.Errorf("payment: %w: %w", cause, RetryAfter(time.Second)), nak(time.Second), false},
		{Reject("no such customer"), term("no such customer"), false},
		{fmt.Errorf("order 7: %w", Reject("no")), term("no"), false},
		{errors.Join(RetryAfter(time.Second), Reject("no")), term("no"), false},
	} {
		if got, thrown := verdictOf(c.err); got != c.want || thrown != c.thrown {
			t.Errorf("verdictOf(%v) = %v, %v; want %v, %v", c.err, got, thrown, c.want, c.thrown)
		}
	}
}

func TestDelaysStayWithinTheContract(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		-time.Second: 0, time.Second: time.Second, 48 * time.Hour: 24 * time.Hour,
	} {
		if got := nak(given).delay; got != want {
			t.Errorf("nak(%v) waits %v, want %v", given, got, want)
		}
	}
}

func TestReasonsStayWithinTheContract(t *testing.T) {
	for given, want := range map[string]string{
		"two\r\nlines":                           "two  lines",
		"odd \xff byte":                          "odd ? byte",
		strings.Repeat("a", 2000):                strings.Repeat("a", 1024),
		strings.Repeat("a", 1023) + "é":          strings.Repeat("a", 1023),
		strings.Repeat("a", 1022) + "é and more": strings.Repeat("a", 1022) + "é",
	} {
		if got := term(given).reason; got != want || !utf8.ValidString(got) {
			t.Errorf("term(%.20q...) has the reason %q", given, got)
		}
	}
}
