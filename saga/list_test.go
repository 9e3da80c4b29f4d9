package saga_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

func TestListsOverSQLite(t *testing.T) {
	listsOver(t, "sqlite:"+filepath.Join(t.TempDir(), "office.db"))
}

func TestListsOverPostgres(t *testing.T) { listsOver(t, tuttitest.Postgres(t)) }

// listsOver has each list of a database, all pages of it, and an instance.
func listsOver(t *testing.T, database string) {
	network := &kafka.Network{}
	broker, err := kafka.Embed(kafka.BrokerConfig{Network: network, Port: 9092})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: broker.Addrs(), Dial: network.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	var engine *saga.Engine
	s, stop := run(t, bus, "office", database, func(s *service.Service) { engine = saga.Register(s, saga.Config{}, claim()) })
	defer stop(nil)
	write := func(fn func(ctx context.Context, tx *store.Tx) error) {
		t.Helper()
		if err := s.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a-1", "a1", "A2", "ä", "a/b%_", "b1", "B2"} {
		write(func(ctx context.Context, tx *store.Tx) error {
			_, err := engine.Start(ctx, tx, "claim", id, loan{ID: id})
			return err
		})
	}
	for _, q := range []string{
		`UPDATE saga_live SET status = 'stuck', changed = 5, since = CASE id WHEN 'b1' THEN 5 ELSE 6 END WHERE id IN ('A2', 'b1')`,
		`INSERT INTO saga_done (saga, id, version, revision, status, started, changed, reason, doc, history)
			SELECT saga, 'x' || id, version, revision, 'completed', started, changed, reason, doc, history FROM saga_live ORDER BY n`,
	} {
		write(func(ctx context.Context, tx *store.Tx) error { return tx.Exec(ctx, q) })
	}
	get := func(target string, into any) {
		t.Helper()
		rec := httptest.NewRecorder()
		s.Admin().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/services/office/sagas"+target, nil))
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", target, rec.Code, rec.Body)
		}
		if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		"": 14, "status=live": 7, "status=deciding": 5, "status=stuck": 2, "status=over": 7, "status=completed": 7, "status=running": 0,
		"key=a": 3, "key=a&status=live": 3, "key=A": 1, "key=a/b%25_": 1, "key=%C3%A4": 1, "key=x": 7, "key=xa": 3, "id=b1": 1, "id=xb1": 1,
		"startedAfter=2020-01-01T00:00:00Z": 14, "startedBefore=2020-01-01T00:00:00Z": 0, "changedBefore=2020-01-01T00:00:00Z&status=stuck": 2,
		"status=stuck&key=A": 1, "status=over&changedBefore=2020-01-01T00:00:00Z": 2,
	} {
		seen := map[string]bool{}
		for after := ""; ; {
			var page admin.SagaInstances
			get("/claim?limit=2&"+query+"&after="+url.QueryEscape(after), &page)
			for _, in := range page.Instances {
				if seen[in.ID] {
					t.Errorf("list of %q has %q twice", query, in.ID)
				}
				seen[in.ID] = true
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("list of %q has %v, want %d", query, seen, want)
		}
	}
	var longest admin.SagaInstances
	get("/claim?status=stuck", &longest)
	if got := longest.Instances; len(got) != 2 || got[0].ID != "b1" || got[1].ID != "A2" {
		t.Errorf("those that are stuck are %+v, want b1, which has waited longer, and A2", got)
	}
	write(func(ctx context.Context, tx *store.Tx) error { // as an instance of the service before that column has them
		return tx.Exec(ctx, `UPDATE saga_live SET since = 0 WHERE status = 'stuck'`)
	})
	get("/claim?status=stuck&limit=1", &longest)
	first := longest.Instances[0].ID
	get("/claim?status=stuck&limit=1&after="+url.QueryEscape(longest.Next), &longest)
	if got := longest.Instances; len(got) != 1 || got[0].ID == first {
		t.Errorf("after %s comes %+v, want the other one", first, got)
	}
	var defs admin.SagaDefinitions
	get("", &defs)
	if got := defs.Definitions[0].Counts; len(got) != 3 || got[0].Instances != 2 || got[1].Instances != 5 || got[2].Instances != 7 {
		t.Errorf("counts are %+v, want 2 stuck, 5 deciding and 7 completed", got)
	}
	var one admin.SagaDetail
	get("/claim/"+url.PathEscape("a/b%_"), &one)
	if one.Status != "deciding" || len(one.History) == 0 || !strings.Contains(string(one.State), "a/b%_") {
		t.Errorf("an instance is %+v", one)
	}
	body := `{"refs":[{"kind":"claim","id":"\u0000","version":"1"},{"kind":"claim","id":"a1","version":"1"}]}`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/services/office/sagas/cancel", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	s.Admin().ServeHTTP(rec, r)
	var out admin.Outcomes
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || len(out.Outcomes) != 2 || out.Outcomes[0].Done || out.Outcomes[0].Reason == "" || !out.Outcomes[1].Done {
		t.Errorf("cancelled is %d %s, want the second, and why the first is not", rec.Code, rec.Body)
	}
}
