package sluice

import (
	"math/rand/v2"
	"time"
)

// retryBackoff is the waiting time between attempts: none before the first, then doubling from first to longest, each
// shortened by up to a quarter at random, so that a fleet does not knock in step.
type retryBackoff struct {
	first, longest time.Duration
	coming         time.Duration
}

func newBackoff(first, longest time.Duration) retryBackoff {
	return retryBackoff{first: first, longest: max(first, longest)}
}

func (b *retryBackoff) next() time.Duration {
	wait := b.coming
	b.coming = min(max(2*wait, b.first), b.longest)
	return time.Duration(float64(wait) * (0.75 + rand.Float64()/4))
}

func (b *retryBackoff) reset() { b.coming = 0 }
