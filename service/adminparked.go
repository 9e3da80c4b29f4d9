package service

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// placesOf is an offset in each of some partitions.
type placesOf = map[event.Partition]int64

const agesWithin = 3 * time.Second // the time to look up how old records are

// age sets how long the first waiting record of each partition has been in the log.
func (s *Service) age(ctx context.Context, lags []admin.Lag, waiting placesOf) error {
	times, err := s.cfg.bus.TimesAt(ctx, waiting, agesWithin)
	if err != nil {
		return err
	}
	for i := range lags {
		if at, known := times[event.Partition{Topic: lags[i].Topic, Number: lags[i].Partition}]; known {
			lags[i].Seconds = max(0, time.Since(at).Seconds())
		}
	}
	return nil
}

// parkedQuery is a selection as a request says it.
type parkedQuery struct {
	store.Selection
	typ   string
	after *store.Place
}

func readParkedQuery(r *http.Request) (q parkedQuery, err error) {
	v := r.URL.Query()
	q.State = store.State(v.Get("state"))
	switch q.State {
	case "", store.StateDead, store.StateRetry, store.StateWaiting:
	default:
		return q, problem.BadRequest("state is %q, want dead, retry or waiting", q.State)
	}
	q.Topic, q.Key, q.Error, q.typ = v.Get("topic"), v.Get("key"), v.Get("error"), v.Get("type")
	if text := v.Get("after"); text != "" {
		at, err := store.ParsePlace(text)
		if err != nil {
			return q, problem.BadRequest("after: %v", err)
		}
		q.after = &at
	}
	if text := v.Get("id"); text != "" {
		at, err := store.ParsePlace(text)
		if err != nil {
			return q, problem.BadRequest("id: %v", err)
		}
		q.Topic, q.Partition, q.Offset = at.Topic, &at.Number, &at.Offset
	}
	q.Limit, err = pageLimit(r)
	return q, err
}

// adminParked lists parked records by pages. Types are in headers or bodies, so they
// are picked here; a request looks at a bounded number of records.
func (s *Service) adminParked(w http.ResponseWriter, r *http.Request) error {
	const most, atLeast = 10_000, 500 // looked at for one page, and at once where types are picked
	q, err := readParkedQuery(r)
	if err != nil {
		return err
	}
	db, err := s.database()
	if err != nil {
		return err
	}
	out := admin.Records{Records: []admin.Record{}}
	limit := q.Limit
	for seen := 0; ; {
		q.Limit = limit - len(out.Records)
		if q.typ != "" {
			q.Limit = max(limit, atLeast)
		}
		page, err := db.BrowseParked(r.Context(), q.Selection, q.after)
		if err != nil {
			return err
		}
		for i, p := range page {
			q.after = &store.Place{Partition: p.Partition, Offset: p.Offset}
			if p.Record.Value, err = attributes(r.Context(), db, p); err != nil {
				return err
			}
			if rec := s.record(p); q.typ == "" || admin.Match(q.typ, rec.Type) {
				out.Records = append(out.Records, rec)
			}
			if len(out.Records) == limit && (i < len(page)-1 || len(page) == q.Limit) {
				out.Next = q.after.String()
				return WriteJSON(w, http.StatusOK, out)
			}
		}
		if seen += len(page); len(page) < q.Limit {
			return WriteJSON(w, http.StatusOK, out)
		}
		if seen >= most {
			out.Next = q.after.String()
			return WriteJSON(w, http.StatusOK, out)
		}
	}
}

// attributes returns the body of a listed record if it has the attributes: in structured
// mode. Bodies are read one at a time, so that a page takes little memory.
func attributes(ctx context.Context, db *store.Store, p store.Brief) ([]byte, error) {
	if !p.Record.Structured() {
		return nil, nil
	}
	ps, err := db.ListParked(ctx, store.Selection{Topic: p.Topic, Partition: &p.Number, Offset: &p.Offset, Limit: 1})
	if err != nil || len(ps) == 0 { // it may be gone meanwhile
		return nil, err
	}
	return ps[0].Record.Value, nil
}

// record is a parked record as the interface shows it.
func (s *Service) record(p store.Brief) admin.Record {
	env, _, _ := event.Decode(p.Record) // what can be read is shown
	rec := admin.Record{
		Service: s.name, ID: store.Place{Partition: p.Partition, Offset: p.Offset}.String(), Version: p.Version(), State: string(p.State),
		Topic: p.Topic, Partition: p.Number, Offset: p.Offset, Type: env.Type, Key: string(p.Record.Key), Attempts: p.Attempts,
		Error: p.Error, Since: p.Since, Size: p.Size, Behind: p.Behind,
	}
	switch p.State {
	case store.StateRetry:
		rec.Due = p.Due
	case store.StateDead:
		rec.Died = p.Due
	}
	return rec
}

// placeOf is the record that a request's path names.
func placeOf(r *http.Request) (store.Place, error) {
	at, err := store.ParsePlace(r.PathValue("topic") + "/" + r.PathValue("at"))
	if err != nil {
		return at, problem.BadRequest("%w", err)
	}
	return at, nil
}

// parkedAt reads one parked record with its body, and the first that wait behind it.
func (s *Service) parkedAt(ctx context.Context, at store.Place) (p store.Parked, waiting []string, behind int, err error) {
	db, err := s.database()
	if err != nil {
		return p, nil, 0, err
	}
	one := store.Selection{Topic: at.Topic, Partition: &at.Number, Offset: &at.Offset, Limit: 1}
	ps, err := db.ListParked(ctx, one)
	if err != nil {
		return p, nil, 0, err
	}
	if len(ps) == 0 {
		return p, nil, 0, problem.NotFound("service %s has no parked record %s: it was handled or discarded, or never parked", s.name, at)
	}
	p = ps[0]
	brief, err := db.BrowseParked(ctx, one, nil)
	if err == nil && len(brief) == 1 {
		behind = brief[0].Behind
	}
	if err != nil || len(p.Record.Key) == 0 || behind == 0 {
		return p, nil, behind, err
	}
	const shown = 20
	next, err := db.BrowseParked(ctx, store.Selection{Topic: at.Topic, Partition: &at.Number, Key: p.Key(), Limit: shown}, &at)
	for _, b := range next {
		waiting = append(waiting, store.Place{Partition: b.Partition, Offset: b.Offset}.String())
	}
	return p, waiting, behind, err
}

// adminShow answers with all of a parked record; with raw=true, with its value alone,
// byte by byte.
func (s *Service) adminShow(w http.ResponseWriter, r *http.Request) error {
	at, err := placeOf(r)
	if err != nil {
		return err
	}
	p, waiting, behind, err := s.parkedAt(r.Context(), at)
	if err != nil {
		return err
	}
	if raw, _ := strconv.ParseBool(r.URL.Query().Get("raw")); raw {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(p.Record.Value) // the client is gone if this fails
		return nil
	}
	d := admin.Detail{Record: s.record(store.Brief{Parked: p, Size: len(p.Record.Value), Behind: behind}), Waiting: waiting, Headers: []admin.Header{}}
	for _, h := range p.Record.Headers {
		if utf8.Valid(h.Value) {
			d.Headers = append(d.Headers, admin.Header{Name: h.Key, Value: string(h.Value)})
		} else {
			d.Headers = append(d.Headers, admin.Header{Name: h.Key, Bytes: h.Value})
		}
	}
	env, _, _ := event.Decode(p.Record) // what can be read is shown
	if env.Type != "" {
		d.Event = &admin.Event{
			ID: env.ID, Source: env.Source, Type: env.Type, Version: env.Version, Kind: env.Kind.String(), Time: env.Time,
			CorrelationID: env.CorrelationID, CausationID: env.CausationID, TraceParent: env.TraceParent, Lane: env.Lane, Seq: env.Seq,
		}
	}
	d.Content = admin.ContentOf(p.Record.Value) // all of it, as edit takes it
	if err := s.readable(p, p.Record.Value); err != nil {
		d.Undecodable = err.Error()
	}
	return WriteJSON(w, http.StatusOK, d)
}

// readable reports why a parked record would not be understood with a body.
func (s *Service) readable(p store.Parked, body []byte) error {
	p.Record.Value = body
	m := s.loop.decode(p.Partition, p.Offset, p.Record)
	switch {
	case m.err != nil:
		return m.err
	case m.binding == nil:
		return fmt.Errorf("service %s has no handler for %s", s.name, m.env.Type)
	}
	return nil
}

const maxEdit = 16 << 20 // bytes of a body

// adminEdit replaces the body of a dead letter and redrives it, if the new body can
// be read here; force=true leaves that to the handler.
func (s *Service) adminEdit(w http.ResponseWriter, r *http.Request) error {
	at, err := placeOf(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEdit))
	if err != nil {
		return problem.Large("read body: %w", err)
	}
	p, _, _, err := s.parkedAt(r.Context(), at)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if force, _ := strconv.ParseBool(query.Get("force")); !force {
		if err := s.readable(p, body); err != nil {
			return problem.Unprocessable("the new body of %s would not be understood: %w", at, err)
		}
	}
	out, err := s.outcomes(r.Context(), "edit", []admin.Ref{{ID: at.String(), Version: query.Get("version")}}, func(ctx context.Context, tx *store.Tx, ref admin.Ref) (string, error) {
		if reason, err := asSelected(ctx, tx, at, ref); reason != "" || err != nil {
			return reason, err
		}
		if err := tx.Edit(ctx, at.Partition, at.Offset, body); err != nil {
			return "", err
		}
		return "", tx.Redrive(ctx, at.Partition, at.Offset)
	})
	if err != nil {
		return err
	}
	s.log.Info("dead letter edited and redriven", "at", at.String(), "outcome", reasonOf(out.Outcomes[0]))
	return WriteJSON(w, http.StatusOK, out)
}

func reasonOf(o admin.Outcome) string {
	if o.Done {
		return "done"
	}
	return o.Reason
}

// asSelected reports why a dead letter is no longer as it was selected, if so.
func asSelected(ctx context.Context, tx *store.Tx, at store.Place, ref admin.Ref) (reason string, err error) {
	p, err := tx.ParkedAt(ctx, at)
	switch {
	case err != nil:
		return "", err
	case p.State != store.StateDead:
		return fmt.Sprintf("it is no dead letter: its state is %s", p.State), nil
	case p.Version() != ref.Version:
		return "it has changed since it was selected: it was tried again and died again", nil
	}
	return "", nil
}

// adminChange redrives or discards dead letters.
func (s *Service) adminChange(w http.ResponseWriter, r *http.Request) error {
	action := r.PathValue("action")
	if action != "redrive" && action != "discard" {
		return problem.NotFound("%q is nothing to be done with dead letters, want redrive or discard", action)
	}
	refs, err := readChange(w, r)
	if err != nil {
		return err
	}
	places := make(map[string]store.Place, len(refs))
	for _, ref := range refs {
		if places[ref.ID], err = store.ParsePlace(ref.ID); err != nil {
			return problem.BadRequest("%w", err)
		}
	}
	out, err := s.outcomes(r.Context(), action, refs, func(ctx context.Context, tx *store.Tx, ref admin.Ref) (string, error) {
		at := places[ref.ID]
		if reason, err := asSelected(ctx, tx, at, ref); reason != "" || err != nil {
			return reason, err
		}
		if action == "redrive" {
			return "", tx.Redrive(ctx, at.Partition, at.Offset)
		}
		return "", s.discard(ctx, tx, at)
	})
	if err != nil {
		return err
	}
	s.log.Info("dead letters changed by an operator", "action", action, "asked", len(refs), "done", done(out))
	return WriteJSON(w, http.StatusOK, out)
}

func (s *Service) discard(ctx context.Context, tx *store.Tx, at store.Place) error {
	p, err := tx.ParkedAt(ctx, at)
	if err != nil {
		return err
	}
	s.loop.forget(at.Partition) // its parked keys are to be read again, after this transaction
	return tx.Discard(ctx, at.Partition, at.Offset, p.Record.Key)
}

func done(out admin.Outcomes) (n int) {
	for _, o := range out.Outcomes {
		if o.Done {
			n++
		}
	}
	return n
}
