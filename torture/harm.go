package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/service"
)

// harm does what happens to machines, at moments drawn from the seed.
type harm struct {
	*run
	rng    *rand.Rand
	client *http.Client // for looks, which must not take long
	hits   tally
	backs  sync.WaitGroup // watchers of processes that come back
}

// tally is what was hit.
type tally struct {
	mu       sync.Mutex
	victims  map[string]int
	starting int           // while the victim was starting
	unsent   int           // with committed events that Kafka had not acknowledged
	behind   int           // with records waiting
	asked    int           // with requests under way
	slowest  time.Duration // from a start after a kill until ready
	others   map[string]int
}

func newHarm(r *run) *harm {
	return &harm{
		run: r, rng: rand.New(rand.NewPCG(r.set.seed, 0)), client: &http.Client{Timeout: 300 * time.Millisecond},
		hits: tally{victims: map[string]int{}, others: map[string]int{}},
	}
}

// between draws a duration.
func (h *harm) between(from, to time.Duration) time.Duration {
	return from + time.Duration(h.rng.Int64N(int64(to-from)+1))
}

// do does harm until the last kill, or the time, has come.
func (h *harm) do(ctx context.Context) error {
	defer h.backs.Wait()
	group, ctx := errgroup.WithContext(ctx)
	over := make(chan struct{})
	group.Go(func() error {
		defer close(over)
		return h.kills(ctx)
	})
	group.Go(func() error { return h.rounds(ctx, over) })
	return group.Wait()
}

// kills kills processes at random moments.
func (h *harm) kills(ctx context.Context) error {
	var prior *process
	for n := 1; !h.over(n); n++ {
		victim, err := h.next(ctx, prior)
		if err != nil {
			return err
		}
		hit, err := h.kill(ctx, n, victim)
		if err != nil {
			return err
		}
		if !hit { // it had ended by itself
			n--
		}
		prior = victim
	}
	return ctx.Err()
}

func (h *harm) over(n int) bool {
	return h.set.kills > 0 && n > h.set.kills || h.set.lasting > 0 && time.Since(h.begin) > h.set.lasting
}

// next waits for the next moment and chooses a victim: one time in four the one that
// has just been killed, while it starts.
func (h *harm) next(ctx context.Context, prior *process) (*process, error) {
	if prior != nil && h.rng.IntN(4) == 0 {
		for !prior.up() {
			if !sleep(ctx, 5*time.Millisecond) {
				return nil, ctx.Err()
			}
		}
		sleep(ctx, h.between(0, 600*time.Millisecond))
		return prior, ctx.Err()
	}
	victim := h.site.processes[h.rng.IntN(len(h.site.processes))]
	pause := h.between(50*time.Millisecond, 2*h.set.every)
	if err := h.acknowledged(ctx); err != nil {
		return nil, err
	}
	sleep(ctx, pause)
	return victim, ctx.Err()
}

// acknowledged waits until an order is acknowledged: a shop that takes none is no
// shop under load, and one that takes none for long is stuck.
func (h *harm) acknowledged(ctx context.Context) error {
	since := time.Now()
	for h.load.last.Load() < since.UnixNano() {
		select {
		case err := <-h.load.failed:
			return err
		default:
		}
		if time.Since(since) > h.set.patience {
			return fmt.Errorf("stuck: no order was acknowledged for %v\n%s", h.set.patience, h.health(ctx))
		}
		if !sleep(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

// kill kills a process, and says what that hit.
func (h *harm) kill(ctx context.Context, n int, victim *process) (bool, error) {
	before, asked := h.look(ctx, victim), h.load.asking.Load()
	down := time.Duration(0)
	if h.rng.IntN(2) == 0 {
		down = h.between(0, 1500*time.Millisecond)
	}
	found := make(chan error, 1)
	state := ""
	hit, err := victim.kill(func() {
		var err error
		if h.site.whole && h.set.look {
			state, err = h.inspect(ctx)
		}
		found <- err
		sleep(ctx, down)
	})
	if err != nil || !hit {
		return false, err
	}
	h.hits.add(victim, before, asked)
	h.backs.Go(func() { h.back(ctx, victim) })
	if h.site.whole {
		select {
		case err = <-found:
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
	h.say("%3d  kill -9 %s: %v, %d requests under way%s", n, victim.name, before, asked, state)
	return true, err
}

// back notes how long a process takes to be ready after it was killed.
func (h *harm) back(ctx context.Context, p *process) {
	if p.url == "" {
		return
	}
	pid := 0
	for sleep(ctx, 20*time.Millisecond) {
		if !p.up() {
			continue
		}
		if pid = cmp.Or(pid, p.pid()); pid != p.pid() {
			return // killed again
		}
		if look(ctx, h.client, p).ready {
			h.hits.mu.Lock()
			defer h.hits.mu.Unlock()
			h.hits.slowest = max(h.hits.slowest, p.age())
			return
		}
	}
}

// inspect looks at what a dead shop has left: its invariants hold at any moment.
func (h *harm) inspect(ctx context.Context) (string, error) {
	report, err := h.verify(ctx)
	if err != nil {
		var none *nothingYet
		if errors.As(err, &none) {
			return "; it had stored nothing yet", nil
		}
		return "", err
	}
	if !report.OK() {
		return "", fmt.Errorf("after kill -9, invariants are violated:\n%s", violations(report))
	}
	return fmt.Sprintf("; it left %v; every invariant holds", report.Unsettled), nil
}

func (t *tally) add(victim *process, s sight, asked int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	t.victims[victim.name]++
	count(&t.starting, !s.ready)
	count(&t.unsent, s.unsent > 0)
	count(&t.behind, s.behind > 0)
	count(&t.asked, asked > 0)
}

// count notes harm other than kills of our processes.
func (h *harm) count(what string) {
	h.hits.mu.Lock()
	defer h.hits.mu.Unlock()
	h.hits.others[what]++
}

// String sums up.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var each []string
	kills := 0
	for _, k := range t.victims {
		kills += k
	}
	for _, name := range sorted(t.victims) {
		each = append(each, fmt.Sprintf("%s %d", name, t.victims[name]))
	}
	others := ""
	if len(t.others) > 0 {
		others = "; " + t.slow()
	}
	return fmt.Sprintf("%d kills (%s): %d while starting, %d with events unsent, %d with records waiting, %d with requests under way; ready again after %v at most%s",
		kills, strings.Join(each, ", "), t.starting, t.unsent, t.behind, t.asked, t.slowest.Round(100*time.Millisecond), others)
}

// slow sums up the harm other than kills of our processes.
func (t *tally) slow() string {
	var each []string
	for _, what := range sorted(t.others) {
		each = append(each, fmt.Sprintf("%s %d times", what, t.others[what]))
	}
	return strings.Join(each, ", ")
}

// sight is what a process says of itself.
type sight struct {
	of       string
	ready    bool
	unsent   int
	behind   int64
	problems []string
}

// String says how it is.
func (s sight) String() string {
	if !s.ready {
		return "starting"
	}
	return fmt.Sprintf("%d events unsent, %d records waiting", s.unsent, s.behind)
}

// look asks a process how it is, and of one that serves no HTTP, all others.
func (h *harm) look(ctx context.Context, p *process) sight {
	if p.url != "" {
		return look(ctx, h.client, p)
	}
	sum := h.sum(ctx)
	sum.ready = p.age() > time.Second
	return sum
}

// sum is how all processes are together.
func (r *run) sum(ctx context.Context) sight {
	sum := sight{of: "all", ready: true}
	for _, s := range r.lookAll(ctx) {
		sum.unsent += s.unsent
		sum.behind += s.behind
	}
	return sum
}

// lookAll asks all processes that can be asked.
func (r *run) lookAll(ctx context.Context) []sight {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	all := make([]sight, len(r.site.processes))
	var wg sync.WaitGroup
	for i, p := range r.site.processes {
		if all[i].of = p.name; p.url == "" {
			all[i].ready = true
			continue
		}
		wg.Go(func() { all[i] = look(ctx, client, p) })
	}
	wg.Wait()
	return all
}

func look(ctx context.Context, client *http.Client, p *process) sight {
	s := sight{of: p.name}
	text, err := ask(ctx, client, http.MethodGet, p.url+"/readyz", "", nil)
	var said struct {
		OK       bool
		Services []service.Status
	}
	if e := json.Unmarshal(text, &said); e != nil {
		s.problems = append(s.problems, fmt.Sprint("no answer: ", errors.Join(err, e)))
		return s
	}
	s.ready = said.OK
	for _, one := range said.Services {
		s.unsent += one.Unsent
		for _, l := range one.Lag {
			s.behind += l.End - l.Next
		}
		for _, p := range one.Problems {
			s.problems = append(s.problems, one.Service+": "+p)
		}
	}
	return s
}

// health describes all processes, for whoever looks into a failure.
func (r *run) health(ctx context.Context) string {
	var b strings.Builder
	for i, s := range r.lookAll(ctx) {
		fmt.Fprintf(&b, "  %s: %v %s\n", s.of, s, strings.Join(s.problems, "; "))
		for how, times := range r.site.processes[i].fallen() {
			fmt.Fprintf(&b, "    ended by itself %d times: %s\n", times, how)
		}
	}
	return b.String()
}
