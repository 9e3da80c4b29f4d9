package saga

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/bulk"
	"github.com/tutti-go/tutti/internal/fastjson"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/store"
)

// Most time limits never come: the answer is there before. So an instance has no timer of
// its own, but is armed, in its row, and belongs to an alarm: a timer that is due when the
// first of its instances is. Those that are due then get timers of their own, which take
// them on, each with its attempts and its errors.
//
// Each run of an engine has an alarm of its own. It alone adds instances to that, and so
// knows when it is due. One that is gone has left its alarm in the database, where another
// instance of the service takes it over with the other timers.

// arming is when an instance is to be looked at.
type arming struct {
	at    int64 // ms; 0: never
	alarm int64 // that it belongs to; 0: it has a timer of its own
}

// alarm is due when one of the instances that belong to it is.
type alarm struct {
	Alarm int64 `json:"alarm"`
}

func (alarm) JobType() string { return "saga.alarm" }

func (a alarm) id() string { return strconv.FormatInt(a.Alarm, 10) }

// timer is due when something of an instance is.
type timer struct {
	Saga string `json:"saga"`
	ID   string `json:"id"`
}

func (timer) JobType() string { return "saga.timer" }

func (k key) timer() string { return k.saga + "/" + k.id }

// bell is the alarm of this run of the engine. It belongs to the service's loop.
type bell struct {
	alarm
	at int64 // ms: there is no time limit before; 0: not known
}

func newBell() bell { return bell{alarm: alarm{1 + rand.Int64N(1<<62)}} } //nolint:gosec // no secret

// arm sets when an instance is to be looked at. A time that is too early stays: it is set
// anew when it has come, so that an instance on its way is armed once and not at each step.
// One that should have come may have led to a timer that is dead, or discarded: it is set
// anew now.
func (w *work) arm(in *instance, stopped *[]string) error {
	due := in.due()
	if in.was.at > w.now && due != 0 && in.was.at <= due {
		in.armed = in.was
		return nil
	}
	if in.was.at != 0 && in.was.alarm == 0 {
		*stopped = append(*stopped, in.timer())
	}
	if in.armed = (arming{}); due == 0 {
		return nil
	}
	in.armed = arming{due, w.e.bell.Alarm}
	return w.wake(due)
}

// wake has the alarm come at a time, or before.
func (w *work) wake(at int64) error {
	b := &w.e.bell
	if b.at > w.now && b.at <= at {
		return nil
	}
	set, err := w.tx.JobAt(w.ctx, b.JobType(), b.id())
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		return err
	}
	if err == nil && set.State == "waiting" && set.Due.UnixMilli() <= at {
		at = set.Due.UnixMilli()
		w.tx.AfterCommit(func() { b.at = at })
		return nil
	}
	return w.e.ring(w.ctx, w.tx, b.alarm, at)
}

// ring sets an alarm; 0: it never comes.
func (e *Engine) ring(ctx context.Context, tx *store.Tx, a alarm, at int64) error {
	if a == e.bell.alarm {
		e.bell.at = 0 // until the commit, the database knows
		tx.AfterCommit(func() { e.bell.at = at })
	}
	if err := tx.DropJobs(ctx, a.JobType(), []string{a.id()}); err != nil || at == 0 {
		return err
	}
	return job.At(ctx, tx, timeOf(at), a.id(), a)
}

const belong = ` FROM saga_live WHERE alarm = $1 AND alarm > 0`

// ringNext has an alarm come when the first of its instances is due.
func (e *Engine) ringNext(ctx context.Context, tx *store.Tx, a alarm) error {
	var next int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MIN(armed), 0)`+belong, a.Alarm).Scan(&next); err != nil {
		return fmt.Errorf("look for the next saga that is due: %w", err)
	}
	return e.ring(ctx, tx, a, next)
}

// rest sets alarms anew where nothing is known to be under way any more. What they were
// set for is over, and to whoever asks nothing is to be done.
func (w *work) rest() error {
	if len(w.e.cache.of) > 0 || slices.ContainsFunc(w.changed, func(in *instance) bool { return !in.status.over() }) {
		return nil
	}
	if w.e.bell.at > 0 {
		if err := w.e.ringNext(w.ctx, w.tx, w.e.bell.alarm); err != nil {
			return err
		}
	}
	for a := range w.e.left {
		set, err := w.tx.JobAt(w.ctx, a.JobType(), a.id())
		if err == nil && w.tx.Here(set) { // nobody else changes it
			err = w.e.ringNext(w.ctx, w.tx, a)
		}
		if err != nil && !errors.Is(err, store.ErrNoRows) {
			return err
		}
	}
	w.tx.AfterCommit(func() { clear(w.e.left) })
	return nil
}

// findLeft notes the alarms of runs before this one.
func (e *Engine) findLeft(ctx context.Context, db *store.Store) error {
	all, err := db.BrowseJobs(ctx, store.JobSelection{Kind: alarm{}.JobType()}, nil)
	for _, j := range all {
		var a alarm
		if fastjson.Unmarshal(j.Args, &a) == nil {
			e.left[a] = true
		}
	}
	return err
}

// restAtStart is for alarms that a run before has left with nothing else.
func (e *Engine) restAtStart(ctx context.Context) error {
	select {
	case <-e.s.Ready():
	case <-ctx.Done():
		return nil
	}
	err := e.s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if len(e.left) == 0 {
			return nil
		}
		return e.work(ctx, tx).rest()
	})
	if err != nil && ctx.Err() == nil {
		e.s.Logger().Warn("look at the alarms of sagas that were left", "error", err)
	}
	return nil
}

// onAlarm gives instances that are due timers of their own, and has the alarm come again
// when the next one is.
func (e *Engine) onAlarm(ctx context.Context, tx *store.Tx, d job.Due[alarm]) error {
	const most = 1000
	type due struct {
		key
		n, at int64
	}
	all, err := store.Collect(ctx, tx, func(r store.Rows) (v due, err error) { return v, r.Scan(&v.saga, &v.id, &v.n, &v.at) },
		`SELECT saga, id, n, armed`+belong+` AND armed <= $2 ORDER BY armed LIMIT $3`, d.Args.Alarm, tx.Now().UnixMilli(), most)
	if err != nil {
		return fmt.Errorf("look for sagas that are due: %w", err)
	}
	rows, timers := make([]int64, len(all)), make([]string, len(all))
	for i, v := range all {
		rows[i], timers[i] = v.n, v.timer()
	}
	if err := tx.DropJobs(ctx, timer{}.JobType(), timers); err != nil { // one that is dead has not been seen
		return err
	}
	for _, v := range all {
		if err := job.At(ctx, tx, timeOf(v.at), v.timer(), timer{v.saga, v.id}); err != nil {
			return err
		}
		e.cache.take(v.key) // memory has it as it was
	}
	for piece := range bulk.Chunks(rows) {
		if err := tx.Exec(ctx, `UPDATE saga_live SET alarm = 0 WHERE n IN (`+bulk.Params(1, len(piece))+`)`, bulk.Args(nil, piece)...); err != nil {
			return fmt.Errorf("set timers of %d sagas: %w", len(all), err)
		}
	}
	return e.ringNext(ctx, tx, d.Args)
}

// onTimer takes an instance on at a time.
func (e *Engine) onTimer(ctx context.Context, tx *store.Tx, d job.Due[timer]) error {
	w := e.work(ctx, tx)
	in, err := w.get(key{d.Args.Saga, d.Args.ID})
	if err != nil || in == nil || in.status.over() {
		return err
	}
	tx.Handling(event.Cause(in.Cause))
	in.was, in.stood = arming{}, "" // it is this one: the row is to say that there is none
	r := w.run(in)
	w.touch(in) // it has no timer now
	if err := r.expire(); err != nil {
		return fmt.Errorf("saga %s %s: %w", in.saga, in.id, err)
	}
	return w.finish()
}
