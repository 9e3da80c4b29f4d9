package service

import (
	"math/rand/v2"
	"sync"
	"time"
)

// jitter makes the delays before retries random, so that what failed together does
// not come again together.
type jitter struct {
	mu  sync.Mutex
	rng *rand.Rand // nil: the process's own
}

// newJitter draws from a seed; without one, nobody knows what is drawn.
func newJitter(seed uint64) *jitter {
	j := &jitter{}
	if seed != 0 {
		j.rng = rand.New(rand.NewPCG(seed, 1))
	}
	return j
}

// before returns a delay before attempt n (from 0): the base doubled n times, at
// most limit, with full jitter.
func (j *jitter) before(n int, base, limit time.Duration) time.Duration {
	d := base
	for ; n > 0 && d < limit; n-- {
		d = min(2*d, limit)
		if d <= 0 { // beyond what a Duration holds
			d = limit
		}
	}
	if j.rng == nil {
		return rand.N(d) + 1
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return time.Duration(j.rng.Int64N(int64(d))) + 1
}
