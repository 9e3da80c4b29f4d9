package service_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// A small world: three services that hand numbers on, made to meet the hazards of the
// framework often and cheaply.
//
//	write ─► source ── Numbered ─► middle ── Passed ─► sink
//	                                 └─ job            └─ timer
//
// The source numbers what is written to a key from 0 on. In the end, each service has
// each number once, and those of a key in order.

// Numbered is what the source says, and Passed what the middle says.
type Numbered struct {
	Group string `json:"group"`
	N     int    `json:"n"`
}

func (Numbered) Contract() event.Contract {
	return event.Contract{Type: "small.numbered", Version: 1, Topic: event.Topic{Name: "small.numbered"}}
}
func (m Numbered) Key() string { return m.Group }

type Passed struct {
	Group string `json:"group"`
	N     int    `json:"n"`
}

func (Passed) Contract() event.Contract {
	return event.Contract{Type: "small.passed", Version: 1, Topic: event.Topic{Name: "small.passed"}}
}
func (m Passed) Key() string { return m.Group }

// ring is a job of the middle, and chime a timer of the sink.
type (
	ring  Numbered
	chime Numbered
)

func (ring) JobType() string  { return "small.ring" }
func (chime) JobType() string { return "small.chime" }

var smallTables = migrations(map[string]string{"0001_small.sql": `
	CREATE TABLE wrote (id INTEGER PRIMARY KEY, grp TEXT NOT NULL, n INTEGER NOT NULL);
	CREATE TABLE got (place INTEGER PRIMARY KEY, grp TEXT NOT NULL, n INTEGER NOT NULL);
	CREATE TABLE later (place INTEGER PRIMARY KEY, grp TEXT NOT NULL, n INTEGER NOT NULL)`})

// small is a small world, and what harms it.
type small struct {
	*tuttitest.World
	guard    service.Guard // is off; "": none
	beheaded bool          // the logs have lost their heads before anyone reads
	refuse   bool          // single events fail to be sent
	sick     bool          // handlers fail now and then
	shared   bool          // there may be two instances of a service, and zombies
	haunted  string        // whose
	travel   string        // whose database goes back in time
	headless bool          // the log loses its head while the sink is stopped
	jumps    bool          // the clocks jump, and are put right in the end
	skew     atomic.Int64  // of the clocks, ns

	mu    sync.Mutex
	rng   *rand.Rand // of what happens beside the test's goroutine
	fails map[string]int
	frost map[string]*frost
	acked []string // "id", of writes that were answered
}

// newSmall draws what a world has to stand from its seed.
func newSmall(w *tuttitest.World, guard service.Guard) *small {
	r := w.Rand()
	s := &small{
		World: w, guard: guard, rng: rand.New(rand.NewPCG(w.Seed(), 2)), fails: map[string]int{}, frost: map[string]*frost{},
		beheaded: r.IntN(3) == 0, refuse: r.IntN(2) == 0, sick: r.IntN(2) == 0, shared: r.IntN(3) == 0,
	}
	if r.IntN(4) == 0 && !s.shared {
		s.travel = []string{"source", "middle", "sink"}[r.IntN(3)]
	}
	s.headless = r.IntN(4) == 0 && !s.shared && s.travel == ""
	s.jumps = r.IntN(3) == 0 && !s.shared
	if s.shared {
		s.haunted = []string{"source", "middle", "sink"}[r.IntN(3)]
	}
	return s
}

// chance is true once in n.
func (s *small) chance(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n) == 0
}

var errSmall = errors.New("the test wants it so")

// prepare switches off what is to be off, and lets events fail.
func (s *small) prepare(svc *service.Service) {
	svc.Migrations(smallTables)
	if s.jumps {
		service.Clock(svc, func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) })
	}
	if s.guard != "" {
		service.Without(s.guard, svc)
	}
	if s.refuse {
		service.FailSends(svc, func(seq int64) (landed bool, err error) {
			if seq == 1 && s.chance(2) || s.chance(8) {
				return s.chance(2), errSmall
			}
			return false, nil
		})
	}
}

func (s *small) source(svc *service.Service) {
	s.prepare(svc)
	event.Publishes[Numbered](svc)
}

func (s *small) middle(svc *service.Service) {
	s.prepare(svc)
	event.Publishes[Passed](svc)
	event.On(svc, func(ctx context.Context, tx *store.Tx, m event.Message[Numbered]) error {
		if err := s.take(ctx, tx, "middle", m.Body); err != nil {
			return err
		}
		if m.Body.N%3 == 0 {
			if err := job.Start(ctx, tx, fmt.Sprint(m.Body), ring(m.Body)); err != nil {
				return err
			}
		}
		return event.Publish(ctx, tx, Passed(m.Body))
	})
	job.Handle(svc, job.Config{}, func(context.Context, job.Call[ring]) (any, error) { return nil, s.fail("ring", 8) },
		func(ctx context.Context, tx *store.Tx, r job.Result[ring, any]) error {
			return errors.Join(r.Err, tx.Exec(ctx, `INSERT INTO later (grp, n) VALUES ($1, $2)`, r.Args.Group, r.Args.N))
		})
}

func (s *small) sink(svc *service.Service) {
	s.prepare(svc)
	event.On(svc, func(ctx context.Context, tx *store.Tx, m event.Message[Passed]) error {
		if err := s.take(ctx, tx, "sink", Numbered(m.Body)); err != nil {
			return err
		}
		if m.Body.N%3 != 1 {
			return nil
		}
		return job.At(ctx, tx, tx.Now().Add(3*time.Second), fmt.Sprint(m.Body), chime(m.Body))
	})
	job.OnDue(svc, func(ctx context.Context, tx *store.Tx, d job.Due[chime]) error {
		return tx.Exec(ctx, `INSERT INTO later (grp, n) VALUES ($1, $2)`, d.Args.Group, d.Args.N)
	})
}

// take stores a number that was handed on.
func (s *small) take(ctx context.Context, tx *store.Tx, who string, m Numbered) error {
	if err := tx.Exec(ctx, `INSERT INTO got (grp, n) VALUES ($1, $2)`, m.Group, m.N); err != nil {
		return err
	}
	return s.fail(fmt.Sprint(who, m), 12)
}

// fail makes what is done for the first few times fail, once in n things.
func (s *small) fail(what string, n int) error {
	if !s.sick {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left, known := s.fails[what]
	if !known && s.rng.IntN(n) == 0 {
		left = 1 + s.rng.IntN(5)
	}
	s.fails[what] = max(0, left-1)
	if left > 0 {
		return errSmall
	}
	return nil
}

func (s *small) start(name string) {
	s.T().Helper()
	f := &frost{hit: make(chan struct{})}
	s.mu.Lock()
	s.frost[name] = f
	s.mu.Unlock()
	register := map[string]func(*service.Service){"source": s.source, "middle": s.middle, "sink": s.sink}[strings.TrimSuffix(name, ".heir")]
	s.Start(name, register, service.Config{Shared: s.shared, Fault: f.fault})
}

// behead makes logs that begin anywhere but at 0.
func (s *small) behead() {
	for _, body := range []event.Body{Numbered{"x", -1}, Passed{"x", -1}} {
		s.PublishForeign(body)
		for p, end := range s.Broker().Ends([]string{body.Contract().Topic.Name}) {
			if err := s.Broker().Truncate(p, end); err != nil {
				s.T().Fatal(err)
			}
		}
	}
}

// write writes a number, and repeats that until it is answered.
func (s *small) write(id int) {
	s.T().Helper()
	group := fmt.Sprint("g", id%4)
	for n := range 1000 {
		name := "source"
		if heir := "source.heir"; n%2 == 1 && s.Running(heir) {
			name = heir
		}
		if s.Running(name) && s.Service(name).Write(s.T().Context(), func(ctx context.Context, tx *store.Tx) error {
			return number(ctx, tx, id, group)
		}) == nil {
			s.acked = append(s.acked, fmt.Sprint(id))
			return
		}
		s.Sleep(300 * time.Millisecond)
	}
	s.T().Fatalf("write %d is not answered", id)
}

// number stores a write, unless it is stored, and publishes its number.
func number(ctx context.Context, tx *store.Tx, id int, group string) error {
	n, err := tx.Affected(ctx, `INSERT INTO wrote (id, grp, n) SELECT $1, $2, COUNT(*) FROM wrote WHERE grp = $2 ON CONFLICT (id) DO NOTHING`, id, group)
	if err != nil || n == 0 {
		return err
	}
	var number int
	if err := tx.QueryRow(ctx, `SELECT n FROM wrote WHERE id = $1`, id).Scan(&number); err != nil {
		return err
	}
	return event.Publish(ctx, tx, Numbered{group, number})
}

// frost freezes one instance for a while where it is, as a machine that is suspended.
type frost struct {
	mu    sync.Mutex
	point service.Point
	skip  int // so often it comes to the point before
	lasts time.Duration
	dies  bool // rather than to freeze
	hit   chan struct{}
}

func (f *frost) arm(p service.Point, skip int, lasts time.Duration, dies bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.point, f.skip, f.lasts, f.dies = p, skip, lasts, dies
}

func (f *frost) fault(p service.Point) error {
	f.mu.Lock()
	d := f.lasts
	if p != f.point || d == 0 {
		f.mu.Unlock()
		return nil
	}
	if f.skip--; f.skip >= 0 {
		f.mu.Unlock()
		return nil
	}
	f.lasts = 0
	dies := f.dies
	f.mu.Unlock()
	close(f.hit)
	if dies {
		return service.ErrCrash
	}
	time.Sleep(d)
	return nil
}

// ghost is how an instance becomes a zombie, or dies beside another.
type ghost struct {
	point service.Point
	skip  int // how often it comes to the point before
	lasts time.Duration
	cut   bool          // it does not reach the broker either
	heir  time.Duration // when another instance comes
	dies  bool
}

// newGhost draws one that is given up for dead, or one that just shares with another
// while it has records in hand.
func newGhost(r *rand.Rand) ghost {
	switch r.IntN(4) {
	case 0:
		return ghost{service.BeforeBegin, r.IntN(8), 5*time.Second + time.Duration(r.Int64N(int64(9*time.Second))), false, 500 * time.Millisecond, false}
	case 1: // another is there soon, and adopts what is left
		return ghost{
			[]service.Point{service.BeforeCommit, service.AfterCommit, service.BetweenSends}[r.IntN(3)], r.IntN(8),
			store.LeaseTime + time.Duration(r.Int64N(int64(30*time.Second))), false, 500 * time.Millisecond, true,
		}
	}
	return ghost{
		[]service.Point{service.BeforeBegin, service.AfterCommit, service.BetweenSends}[r.IntN(3)], r.IntN(8),
		store.LeaseTime + time.Duration(r.Int64N(int64(30*time.Second))), r.IntN(2) == 0, store.LeaseTime + 2*time.Second, false,
	}
}

// haunt freezes an instance until another has taken its place, and lets it go on.
func (s *small) haunt(name string, g ghost) {
	s.mu.Lock()
	f := s.frost[name]
	s.mu.Unlock()
	f.arm(g.point, g.skip, g.lasts, g.dies)
	select {
	case <-f.hit:
	case <-time.After(time.Minute):
		f.arm(g.point, 0, 0, false)
		return // nothing happened
	}
	s.ExpectEnd(name) // fenced
	if g.cut {
		s.Cut(name)
	}
	time.Sleep(g.heir)
	s.start(name + ".heir")
	time.Sleep(g.lasts)
	if !s.Running(name) {
		s.Restart(name)
	} else if g.cut {
		s.Heal(name)
	}
}

// alive is a service that runs, or the instance that has taken its place.
func (s *small) alive(name string) string {
	if s.Running(name) {
		return name
	}
	return name + ".heir"
}

// check compares what the services have.
func (s *small) check() {
	t := s.T()
	t.Helper()
	source := s.alive("source")
	s.ExpectRows(source, `SELECT id FROM wrote ORDER BY id`, s.acked...)
	want := s.Query(source, `SELECT grp, n FROM wrote ORDER BY grp, n`)
	for _, name := range []string{"middle", "sink"} {
		got := s.Query(s.alive(name), `SELECT grp, n FROM got ORDER BY grp, place`)
		if name == "middle" && s.haunted == "source" { // two instances take writes of one key
			got, want = s.Query(s.alive(name), `SELECT grp, n FROM got ORDER BY grp, n`), got
			if all := s.Query(source, `SELECT grp, n FROM wrote ORDER BY grp, n`); strings.Join(got, " ") != strings.Join(all, " ") {
				t.Errorf("%s has handled %v, want %v in any order", name, got, all)
			}
			continue // those that follow have them in its order
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s has handled %v, want %v", name, got, want)
		}
	}
	for name, rest := range map[string]int{"middle": 0, "sink": 1} {
		want := s.Query(source, `SELECT grp, n FROM wrote WHERE n % 3 = $1 ORDER BY grp, n`, rest)
		if got := s.Query(s.alive(name), `SELECT grp, n FROM later ORDER BY grp, n`); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("later work of %s is %v, want %v", name, got, want)
		}
	}
}

// goBack brings back an old copy of a service's database. The service is to refuse it,
// or to get over it.
func (s *small) goBack(name string, ids *int) {
	t := s.T()
	old := func(suffix string) {
		if err := copyOf(s.World, name, suffix); err != nil {
			t.Fatal(err)
		}
	}
	s.Stop(name)
	old(".copy")
	s.Restart(name)
	for range 4 {
		s.write(*ids)
		*ids++
	}
	s.Quiet()
	s.Stop(name)
	newest := s.Database(name) + ".newest"
	if err := copyFile(s.Database(name), newest); err != nil {
		t.Fatal(err)
	}
	old("")
	register := map[string]func(*service.Service){"source": s.source, "middle": s.middle, "sink": s.sink}[name]
	err := s.TryStart(name, register)
	if err == nil {
		return
	}
	if !errors.Is(err, service.ErrMismatch) {
		t.Errorf("start of %s on an old copy = %v, want ErrMismatch", name, err)
	}
	if err := copyFile(newest, s.Database(name)); err != nil {
		t.Fatal(err)
	}
	s.start(name)
}

// harm begins the faults of a small world. Where two instances share a database, one
// dies as its ghost does, and no other.
func (s *small) harm() {
	c := tuttitest.Chaos{Over: 8 * time.Second, Faults: 6}
	for _, k := range tuttitest.AllFaults {
		if !s.shared || k != tuttitest.Kill && k != tuttitest.CrashPoint {
			c.Kinds = append(c.Kinds, k)
		}
	}
	s.Chaos(c)
}

// behind cuts off the head of a log while the one who reads it is stopped. It is to
// refuse to go on behind that; it reports whether it has.
func (s *small) behind(ids *int) bool {
	t := s.T()
	s.Stop("sink")
	for range 4 {
		s.write(*ids)
		*ids++
	}
	s.Quiet()
	for p, end := range s.Broker().Ends([]string{Passed{}.Contract().Topic.Name}) {
		if err := s.Broker().Truncate(p, end); err != nil {
			t.Fatal(err)
		}
	}
	err := s.TryStart("sink", s.sink)
	if err != nil && !errors.Is(err, service.ErrMismatch) {
		t.Errorf("start of the sink behind what was deleted = %v, want ErrMismatch", err)
	}
	return err != nil
}

// mostSkew is how far clocks jump. It is more than an instance may be silent.
const mostSkew = 2 * time.Minute

// jump lets the clocks jump a few times, and puts them right at last.
func (s *small) jump(over time.Duration, by []time.Duration) {
	for _, skew := range by {
		time.Sleep(over / time.Duration(len(by)))
		s.skew.Store(int64(skew))
	}
	time.Sleep(over / time.Duration(len(by)))
	s.skew.Store(0)
}

// live runs a small world from its beginning to its end.
func live(w *tuttitest.World, guard service.Guard) {
	s := newSmall(w, guard)
	if s.beheaded {
		s.behead()
	}
	for _, name := range []string{"source", "middle", "sink"} {
		s.start(name)
	}
	var ghosts sync.WaitGroup
	if s.shared {
		g := newGhost(w.Rand())
		ghosts.Go(func() { s.haunt(s.haunted, g) })
	}
	var clocks sync.WaitGroup
	if s.jumps {
		by := make([]time.Duration, 3)
		for i := range by {
			by[i] = time.Duration(w.Rand().Int64N(int64(2*mostSkew))) - mostSkew
		}
		clocks.Go(func() { s.jump(8*time.Second, by) })
	}
	s.harm()
	ids := 0
	for range 24 {
		s.write(ids)
		ids++
		if w.Rand().IntN(2) == 0 {
			w.Sleep(time.Duration(w.Rand().Int64N(int64(time.Second))))
		}
	}
	ghosts.Wait()
	clocks.Wait()
	for range 4 { // also after the last zombie
		s.write(ids)
		ids++
	}
	w.Quiet()
	if s.jumps { // what was stored while they were ahead is late
		w.Sleep(mostSkew + time.Minute)
		w.Quiet()
	}
	if s.headless && s.behind(&ids) {
		return // and a person has to decide
	}
	w.Quiet()
	if s.travel != "" {
		s.goBack(s.travel, &ids)
		s.write(ids)
		w.Quiet()
	}
	s.check()
}
