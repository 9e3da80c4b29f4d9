package store_test

import (
	"net/url"
	"testing"
	"testing/fstest"

	"github.com/tutti-go/tutti/store"
	"github.com/tutti-go/tutti/tuttitest"
)

// patient opens a database whose statements may take a time.
func patient(t *testing.T, most string) *store.Store {
	t.Helper()
	t.Parallel()
	u, err := url.Parse(tuttitest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("statement_timeout", most)
	u.RawQuery = q.Encode()
	return open(t, u.String(), config())
}

// TestSlowMigration: a migration takes its time, however little other statements may.
func TestSlowMigration(t *testing.T) {
	s := patient(t, "300ms")
	if err := s.Migrate(t.Context(), fstest.MapFS{"0001_slow.sql": {Data: []byte("SELECT pg_sleep(1)")}}); err != nil {
		t.Error(err)
	}
}

// TestSlowStatement: a statement may take as long as the URL says, and not only as long
// as one may by default.
func TestSlowStatement(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes its time")
	}
	s := patient(t, "60s")
	update(t, s, func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT pg_sleep(46)::text`).Scan(new(string))
	})
}
