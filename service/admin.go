package service

import (
	"context"
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/store"
)

// Admin is [AdminOf] for this service alone.
func (s *Service) Admin() http.Handler { return AdminOf(s) }

// AdminOf serves what operators need of services: dead letters, jobs and lag, below
// /services/NAME. It asks nobody who they are, and it can delete messages, so it
// belongs on an address of its own that only operators reach, never beside
// [Service.Handler].
func AdminOf(services ...*Service) http.Handler {
	a := &administration{services: services, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /services", a.list)
	a.mux.HandleFunc("GET /runtime", runtimeFigures)
	for pattern, h := range map[string]func(*Service, http.ResponseWriter, *http.Request) error{
		"GET /services/{name}":                          (*Service).adminSelf,
		"GET /services/{name}/lag":                      (*Service).adminLag,
		"GET /services/{name}/parked":                   (*Service).adminParked,
		"GET /services/{name}/parked/{topic}/{at}":      (*Service).adminShow,
		"PUT /services/{name}/deadletters/{topic}/{at}": (*Service).adminEdit,
		"POST /services/{name}/deadletters/{action}":    (*Service).adminChange,
		"GET /services/{name}/jobs":                     (*Service).adminJobs,
		"POST /services/{name}/jobs/{action}":           (*Service).adminChangeJobs,
	} {
		a.mux.HandleFunc(pattern, a.serve(h))
	}
	added := map[string]bool{}
	for _, s := range services {
		for _, o := range s.operators {
			if !added[o.pattern] { // two services may use the same part
				a.mux.HandleFunc(o.pattern, a.serve(func(s *Service, w http.ResponseWriter, r *http.Request) error { return s.operate(o.pattern, w, r) }))
				added[o.pattern] = true
			}
		}
	}
	return problem.Mux(a.mux)
}

// operatorRoute is a route of the admin interface that a part of the service adds.
type operatorRoute struct {
	pattern string
	handle  HandlerFunc
}

// HandleAdmin serves operators at METHOD /services/NAME/PATH on the admin interface,
// where PATH is what follows in the pattern "METHOD /PATH": see [AdminOf].
func (s *Service) HandleAdmin(pattern string, h HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	s.operators = append(s.operators, operatorRoute{method + " /services/{name}" + path, h})
}

// operate serves a route that HandleAdmin added.
func (s *Service) operate(pattern string, w http.ResponseWriter, r *http.Request) error {
	for _, o := range s.operators {
		if o.pattern == pattern {
			return o.handle(w, r)
		}
	}
	return problem.NotFound("service %s has no %s", s.name, r.URL.Path)
}

type administration struct {
	services []*Service
	mux      *http.ServeMux
}

// serve finds the service that a request names, and answers errors.
func (a *administration) serve(h func(*Service, http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(a.services, func(s *Service) bool { return s.name == r.PathValue("name") })
		if i < 0 {
			problem.Write(w, r, problem.NotFound("no service %q runs in this process: it has %s", r.PathValue("name"), strings.Join(a.names(), ", ")))
			return
		}
		s := a.services[i]
		w.Header().Set("Cache-Control", "no-store")
		err := safely(func() error { return h(s, w, r) })
		if err == nil {
			return
		}
		if event.Rejected(err) && problem.KindOf(err) == problem.Internal { // text that the database does not take
			err = problem.BadRequest("%w", err)
		}
		if problem.KindOf(err) == problem.Internal && r.Context().Err() == nil {
			s.log.Error("serve admin request", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		problem.Write(w, r, err)
	}
}

func (a *administration) names() []string {
	var out []string
	for _, s := range a.services {
		out = append(out, s.name)
	}
	return out
}

func (a *administration) list(w http.ResponseWriter, r *http.Request) {
	out := []admin.Service{}
	for _, s := range a.services {
		out = append(out, s.self())
	}
	if err := WriteJSON(w, http.StatusOK, out); err != nil {
		problem.Write(w, r, err)
	}
}

// self says what the service is.
func (s *Service) self() admin.Service {
	st := s.Status()
	out := admin.Service{Service: s.name, Ready: st.Ready, Problems: st.Problems, Topics: s.subscribed(), Jobs: slices.Sorted(maps.Keys(s.jobs))}
	types := map[string]bool{}
	for id := range s.bindings {
		types[id.typ] = true
	}
	out.Types = slices.Sorted(maps.Keys(types))
	return out
}

func (s *Service) adminSelf(w http.ResponseWriter, _ *http.Request) error {
	return WriteJSON(w, http.StatusOK, s.self())
}

// database is the service's, once it runs.
func (s *Service) database() (*store.Store, error) {
	select {
	case <-s.stopped:
		return nil, problem.Unavailable(time.Second, "service %s has stopped", s.name)
	default: // ready stays closed when it stops, and select would take either
	}
	select {
	case <-s.ready:
		return s.loop.db.Load(), nil
	default:
		return nil, problem.Unavailable(time.Second, "service %s is starting", s.name)
	}
}

// adminLag compares the stored positions with the ends of the log.
func (s *Service) adminLag(w http.ResponseWriter, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	bounds, err := s.cfg.bus.Bounds(r.Context(), s.name, s.subscribed())
	if err != nil {
		return err
	}
	positions, err := db.Positions(r.Context())
	if err != nil {
		return err
	}
	behind, waiting := admin.Lags{Lags: []admin.Lag{}}, placesOf{}
	for p, b := range bounds {
		next := max(positions[p].Next, b.Start)
		if next < b.End {
			waiting[p] = next
		}
		behind.Lags = append(behind.Lags, admin.Lag{
			Service: s.name, Topic: p.Topic, Partition: p.Number, Position: next, End: max(b.End, next), Lag: max(0, b.End-next),
		})
	}
	if err := s.age(r.Context(), behind.Lags, waiting); err != nil {
		return err
	}
	slices.SortFunc(behind.Lags, func(a, b admin.Lag) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return WriteJSON(w, http.StatusOK, behind)
}

// change reads which records or jobs an admin request is about.
func readChange(w http.ResponseWriter, r *http.Request) ([]admin.Ref, error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return nil, problem.BadRequest("the content type is %q, want application/json", r.Header.Get("Content-Type"))
	}
	var c admin.Change
	if err := ReadJSON(w, r, &c); err != nil {
		return nil, err
	}
	if len(c.Refs) > admin.MaxRefs {
		return nil, problem.Large("the change names %d, want at most %d at once", len(c.Refs), admin.MaxRefs)
	}
	return c.Refs, nil
}

// limit is how long a page is to be.
func pageLimit(r *http.Request) (int, error) {
	const usual, most = 200, 1000
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, problem.BadRequest("limit is %q, want 1 to %d", text, most)
	}
	return n, nil
}

// outcomes makes changes in one transaction, each only to what is as it was when it
// was selected.
func (s *Service) outcomes(ctx context.Context, action string, refs []admin.Ref, one func(context.Context, *store.Tx, admin.Ref) (reason string, err error)) (admin.Outcomes, error) {
	if _, err := s.database(); err != nil {
		return admin.Outcomes{}, err
	}
	var out admin.Outcomes
	err := s.change(ctx, func(ctx context.Context, tx *store.Tx) error {
		out.Outcomes = make([]admin.Outcome, 0, len(refs)) // it may run more than once
		for _, ref := range refs {
			reason, err := one(ctx, tx, ref)
			if errors.Is(err, store.ErrNoRows) {
				reason, err = "it is not there: handled or discarded", nil
			}
			if err != nil {
				return err
			}
			out.Outcomes = append(out.Outcomes, admin.Outcome{Service: s.name, Action: action, Kind: ref.Kind, ID: ref.ID, Done: reason == "", Reason: reason})
		}
		return nil
	})
	if err != nil { // out may still be written
		return admin.Outcomes{}, err
	}
	return out, nil
}
