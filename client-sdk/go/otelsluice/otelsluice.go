// Package otelsluice carries OpenTelemetry traces from publishers to the handlers of package sluice. It is a module of
// its own, so that the SDK itself does not depend on OpenTelemetry.
//
//	client.Consume(ctx, "orders", handle, otelsluice.WithTraceContext())
package otelsluice

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

// WithTraceContext makes the W3C headers traceparent and tracestate of a message the remote span of its context, so that
// spans a handler starts are children of the publisher's.
func WithTraceContext() sluice.Option { return WithPropagator(propagation.TraceContext{}) }

// WithPropagator is the same for other formats, and for baggage. The program's own is otel.GetTextMapPropagator().
func WithPropagator(p propagation.TextMapPropagator) sluice.Option {
	return sluice.WithMessageContext(func(ctx context.Context, m *sluice.Message) context.Context {
		return p.Extract(ctx, headers(m.Headers()))
	})
}

// headers as a propagator reads them. Publishers spell names in several ways; here case does not matter.
type headers []sluice.Header

// Get is the first value.
func (h headers) Get(name string) string {
	for _, one := range h {
		if strings.EqualFold(one.Name, name) {
			return one.Value
		}
	}
	return ""
}

// Keys are the names, each once.
func (h headers) Keys() []string {
	var names []string
	seen := map[string]bool{}
	for _, one := range h {
		if !seen[one.Name] {
			seen[one.Name] = true
			names = append(names, one.Name)
		}
	}
	return names
}

// Set does nothing: what was delivered stays as it is.
func (headers) Set(string, string) {}
