package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// slow is harm that takes its time, longer than a session of a consumer group
// lasts, and goes on beside the kills, one at a time.
type slow struct {
	name string
	do   func(h *harm, ctx context.Context, rng *rand.Rand) error
}

var (
	freezing = slow{"freeze", (*harm).freezeService}
	dozing   = slow{"doze", (*harm).freezeOwn}
	breaking = slow{"broker", (*harm).killBroker}
	stalling = slow{"stall", (*harm).stallBroker}
	cutting  = slow{"cut", (*harm).cut}
)

// session is how long a member of a group may be silent before others take its
// place.
const session = 15 * time.Second

// rounds does every kind of slow harm, again and again until the kills are over,
// but each at least once.
func (h *harm) rounds(ctx context.Context, over <-chan struct{}) error {
	kinds := h.site.slow
	rng := rand.New(rand.NewPCG(h.set.seed, 1))
	for round := 0; len(kinds) > 0; round++ {
		for _, i := range rng.Perm(len(kinds)) {
			select {
			case <-over:
				if round > 0 {
					return nil
				}
			default:
			}
			if !sleep(ctx, pick(rng, 500*time.Millisecond, 3*time.Second)) {
				return ctx.Err()
			}
			if err := kinds[i].do(h, ctx, rng); err != nil {
				return err
			}
		}
	}
	return nil
}

func pick(rng *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(rng.Int64N(int64(to-from)+1))
}

// freezeService stops a process of the shop for longer than its sessions, and lets
// it go on: it does not know that it was replaced.
func (h *harm) freezeService(ctx context.Context, rng *rand.Rand) error {
	var shops []*process
	for _, p := range h.site.processes {
		if p.url != "" {
			shops = append(shops, p)
		}
	}
	return h.freeze(ctx, rng, shops[rng.IntN(len(shops))])
}

// freezeOwn stops the broker that is one of our processes.
func (h *harm) freezeOwn(ctx context.Context, rng *rand.Rand) error {
	return h.freeze(ctx, rng, h.site.processes[0])
}

func (h *harm) freeze(ctx context.Context, rng *rand.Rand, victim *process) error {
	d := pick(rng, session+time.Second, session+10*time.Second)
	before := h.look(ctx, victim)
	if err := victim.freeze(); err != nil {
		return err
	}
	h.count("frozen " + victim.name)
	h.say("     SIGSTOP %s for %v: %v", victim.name, d.Round(time.Second), before)
	sleep(ctx, d)
	h.say("     SIGCONT %s", victim.name)
	return victim.thaw()
}

// killBroker kills a broker of Kafka, and starts it again.
func (h *harm) killBroker(ctx context.Context, rng *rand.Rand) error {
	n := 1 + rng.IntN(len(h.site.cluster.proxies))
	return h.fell(ctx, n, pick(rng, 0, 5*time.Second))
}

func (h *harm) fell(ctx context.Context, n int, down time.Duration) error {
	before := h.sum(ctx)
	if err := h.site.cluster.broker(ctx, "kill", n); err != nil {
		return err
	}
	h.count(fmt.Sprintf("killed broker %d", n))
	h.say("     kill -9 broker %d for %v: %v", n, down.Round(100*time.Millisecond), before)
	sleep(ctx, down)
	if err := h.site.cluster.broker(ctx, "start", n); err != nil {
		return err
	}
	h.say("     broker %d is there again", n)
	return nil
}

// stallBroker freezes a broker, which leads some partitions, for longer than the
// sessions of its clients and of the cluster.
func (h *harm) stallBroker(ctx context.Context, rng *rand.Rand) error {
	return h.stall(ctx, 1+rng.IntN(len(h.site.cluster.proxies)), pick(rng, session+time.Second, session+10*time.Second))
}

func (h *harm) stall(ctx context.Context, n int, d time.Duration) error {
	before := h.sum(ctx)
	if err := h.site.cluster.broker(ctx, "pause", n); err != nil {
		return err
	}
	h.count(fmt.Sprintf("frozen broker %d", n))
	h.say("     SIGSTOP broker %d for %v: %v", n, d.Round(time.Second), before)
	sleep(ctx, d)
	h.say("     SIGCONT broker %d", n)
	return h.site.cluster.broker(context.WithoutCancel(ctx), "resume", n)
}

// cut cuts the network between the services and a broker: half of the time it is
// silent, half of the time connections break and are refused.
func (h *harm) cut(ctx context.Context, rng *rand.Rand) error {
	n := rng.IntN(len(h.site.cluster.proxies))
	h.sever(ctx, n, rng.IntN(2) == 0, pick(rng, 2*time.Second, session+10*time.Second))
	return nil
}

func (h *harm) sever(ctx context.Context, n int, silent bool, d time.Duration) {
	p, how := h.site.cluster.proxies[n], "refuses connections"
	before := h.sum(ctx)
	if silent {
		how = "is silent"
		p.silence()
	} else {
		p.refuse()
	}
	h.count(fmt.Sprintf("cut broker %d", n+1))
	h.say("     the network to broker %d %s for %v: %v", n+1, how, d.Round(time.Second), before)
	sleep(ctx, d)
	p.heal()
	h.say("     the network to broker %d is healed", n+1)
}
