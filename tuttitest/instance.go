package tuttitest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
)

// instance is a service that runs, or ran.
type instance struct {
	name     string // "order", or "order.b" of a second instance
	register func(*service.Service)
	cfg      service.Config

	svc    *service.Service
	bus    *kafka.Bus
	link   *link
	server *http.Server
	port   int
	cancel context.CancelCauseFunc
	ended  chan struct{}
	err    error // of Run, once ended is closed
	client *http.Client

	mu    sync.Mutex
	asked bool                  // the end was asked for
	ready bool                  // it was, once
	armed map[service.Point]int // crash when the point is reached that many times more
}

// serviceOf cuts an instance's own name off.
func serviceOf(name string) string {
	svc, _, _ := strings.Cut(name, ".")
	return svc
}

// Start starts a service under a name, and waits until it is ready. cfg may hold
// settings; database, logger and durability are the world's. After Stop, Crash or
// CrashAt a service is started again on the same database in the same way.
//
// A name with a dot, such as "order.b", starts a second instance of the service
// before the dot; both need Shared in their settings.
func (w *World) Start(name string, register func(*service.Service), cfg ...service.Config) {
	w.t.Helper()
	if err := w.TryStart(name, register, cfg...); err != nil {
		w.t.Fatalf("start %s: %v", name, err)
	}
}

// TryStart is [World.Start] where the start may fail.
func (w *World) TryStart(name string, register func(*service.Service), cfg ...service.Config) error {
	i := &instance{name: name, register: register}
	if len(cfg) > 0 {
		i.cfg = cfg[0]
	}
	return w.start(i)
}

// Restart starts a service that has stopped or crashed as it was started before.
func (w *World) Restart(name string) {
	w.t.Helper()
	old := w.get(name)
	if err := w.start(&instance{name: name, register: old.register, cfg: old.cfg}); err != nil {
		w.t.Fatalf("start %s: %v", name, err)
	}
}

var errRunning = errors.New("it is running")

func (w *World) start(i *instance) error {
	w.t.Helper()
	w.mu.Lock()
	old := w.instances[i.name]
	if old != nil && !old.hasEnded() {
		w.mu.Unlock()
		return errRunning
	}
	w.port++
	i.port = w.port
	w.instances[i.name] = i
	w.mu.Unlock()
	if old != nil {
		w.surprisedBy(old)
	}

	i.link, i.ended = newLink(w.net), make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	i.cancel = cancel
	var err error
	if i.bus, err = w.bus.Via(ctx, i.link.dial); err != nil {
		i.err = err
		close(i.ended)
		return err
	}
	cfg := i.cfg
	cfg.Database = cmp.Or(cfg.Database, "sqlite:"+w.Database(i.name))
	if i.cfg.Database == "" {
		if i.err = blank(w.Database(i.name), serviceOf(i.name)); i.err != nil {
			close(i.ended)
			return i.err
		}
	}
	cfg.Unsynced, cfg.Seed = true, w.seed
	if w.cfg.Calm {
		cfg.Calm = calm
	}
	cfg.Logger = w.log.With("instance", i.name)
	cfg.Fault = i.fault
	i.svc = service.New(serviceOf(i.name), i.bus, cfg)
	i.register(i.svc)
	i.client = w.client(i.name)
	w.note(i.svc.Topics())
	if i.err = i.serve(w.net); i.err != nil {
		close(i.ended)
		return i.err
	}
	go w.run(ctx, i)
	select {
	case <-i.svc.Ready():
		i.mu.Lock()
		defer i.mu.Unlock()
		i.ready = true
		return nil
	case <-i.ended:
		return i.err
	}
}

// run runs the service until it ends.
func (w *World) run(ctx context.Context, i *instance) {
	err := i.svc.Run(ctx)
	_ = i.server.Close() // a crash ends what is under way
	i.client.CloseIdleConnections()
	i.bus.Close()
	i.link.drop()
	i.err = err
	close(i.ended)
}

// surprise fails the test if a service ended that nobody asked to.
func (w *World) surprise() {
	w.t.Helper()
	for _, i := range w.all() {
		w.surprisedBy(i)
	}
}

func (w *World) surprisedBy(i *instance) {
	w.t.Helper()
	i.mu.Lock()
	surprising := i.ready && !i.asked
	i.mu.Unlock()
	if surprising && i.hasEnded() && i.expectEnd() {
		w.t.Errorf("service %s ended by itself: %v", i.name, i.err)
	}
}

// serve serves the service's routes on the virtual network.
func (i *instance) serve(n *kafka.Network) error {
	l, err := n.Listen("tcp", fmt.Sprintf("localhost:%d", i.port))
	if err != nil {
		return err
	}
	i.server = &http.Server{Handler: i.svc.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = i.server.Serve(l) }() // it ends when the server is closed
	return nil
}

func (i *instance) hasEnded() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// fault is called at the points where a crash could hurt.
func (i *instance) fault(p service.Point) error {
	if i.cfg.Fault != nil {
		if err := i.cfg.Fault(p); err != nil {
			i.expectEnd()
			i.link.setCut(true)
			return err
		}
	}
	i.mu.Lock()
	n := i.armed[p]
	if n > 0 {
		i.armed[p] = n - 1
	}
	i.mu.Unlock()
	if n != 1 {
		return nil
	}
	i.expectEnd()
	i.link.setCut(true) // nothing leaves a dead process
	return service.ErrCrash
}

// expectEnd says that the service's end is no surprise. It reports whether that is
// news.
func (i *instance) expectEnd() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.asked
	i.asked = true
	return !before
}

// Stop stops a service as SIGTERM does, and waits until it has ended.
func (w *World) Stop(name string) {
	w.t.Helper()
	i := w.running(name)
	i.expectEnd()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := i.server.Shutdown(ctx); err != nil {
		w.log.Warn("requests were under way when a service stopped", "instance", name, "error", err)
	}
	i.cancel(nil)
	<-i.ended
	if i.err != nil {
		w.t.Errorf("service %s stopped with %v, want no error", name, i.err)
	}
}

// Crash ends a service as kill -9 does: nothing more leaves it, and nothing is
// cleaned up.
func (w *World) Crash(name string) {
	w.t.Helper()
	w.kill(w.running(name))
}

func (w *World) kill(i *instance) {
	if i.hasEnded() {
		return
	}
	i.expectEnd()
	i.link.setCut(true)
	_ = i.server.Close() // what is under way is lost
	i.cancel(service.ErrCrash)
	<-i.ended
}

// CrashAt makes a service crash when it next comes to a point within a batch. It
// does not wait for that; see [World.AwaitEnd].
func (w *World) CrashAt(name string, p service.Point) {
	w.t.Helper()
	w.running(name).arm(p, 1)
}

func (i *instance) arm(p service.Point, n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.armed == nil {
		i.armed = map[service.Point]int{}
	}
	i.armed[p] = n
}

// AwaitEnd waits until a service has ended, and returns the error of its Run. A
// service that ends by itself fails the test unless AwaitEnd is called for it.
func (w *World) AwaitEnd(name string) error {
	w.t.Helper()
	i := w.get(name)
	i.expectEnd()
	select {
	case <-i.ended:
		return i.err
	case <-time.After(w.cfg.Patience):
		w.t.Fatalf("service %s has not ended after %v", name, w.cfg.Patience)
		return nil
	}
}

// ExpectEnd says that a service may end by itself, as one does that was replaced.
func (w *World) ExpectEnd(name string) {
	w.t.Helper()
	w.get(name).expectEnd()
}

// Running reports whether a service runs.
func (w *World) Running(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.instances[name]
	return i != nil && !i.hasEnded()
}

// CutOff cuts a service off the broker for d: its connections are closed, and new
// ones refused. It returns when they are not any more.
func (w *World) CutOff(name string, d time.Duration) {
	w.t.Helper()
	w.Cut(name)
	time.Sleep(d)
	w.Heal(name)
}

// Cut cuts a service off the broker until [World.Heal].
func (w *World) Cut(name string) {
	w.t.Helper()
	w.running(name).link.setCut(true)
}

// Heal undoes [World.Cut].
func (w *World) Heal(name string) {
	w.t.Helper()
	w.running(name).link.setCut(false)
}

// Drop closes the connections that a service has to the broker. New ones work.
func (w *World) Drop(name string) {
	w.t.Helper()
	w.running(name).link.drop()
}

// Delay holds back by d whatever a service sends to the broker, until it is called
// again with 0. Over a minute, the service looks dead and is not: a zombie.
func (w *World) Delay(name string, d time.Duration) {
	w.t.Helper()
	w.running(name).link.slow(d)
}

// Corrupt flips a bit in the records of the next n answers that a service gets
// from the broker.
func (w *World) Corrupt(name string, n int) {
	w.t.Helper()
	w.running(name).link.garble(n)
}

// Service returns a running service.
func (w *World) Service(name string) *service.Service {
	w.t.Helper()
	return w.running(name).svc
}

// HTTP returns a client whose requests go to a service, whatever host they name.
// It outlives the service: requests fail while it is down, and reach the next one
// of that name.
func (w *World) HTTP(name string) *http.Client {
	w.t.Helper()
	return w.get(name).client
}

// client dials whichever instance of that name runs.
func (w *World) client(name string) *http.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		w.mu.Lock()
		i := w.instances[name]
		w.mu.Unlock()
		return w.net.DialContext(ctx, network, fmt.Sprintf("localhost:%d", i.port))
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

func (w *World) get(name string) *instance {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.instances[name]
	if i == nil {
		w.t.Fatalf("no service %s was started", name)
	}
	return i
}

func (w *World) running(name string) *instance {
	w.t.Helper()
	i := w.get(name)
	if i.hasEnded() {
		w.t.Fatalf("service %s is not running", name)
	}
	return i
}

// all returns the instances, by name.
func (w *World) all() []*instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*instance
	for _, name := range slices.Sorted(maps.Keys(w.instances)) {
		out = append(out, w.instances[name])
	}
	return out
}
