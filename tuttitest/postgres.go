package tuttitest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"testing"

	"github.com/tutti-go/tutti/store"
)

// Postgres returns the URL of an empty schema in the PostgreSQL that the variable
// TUTTI_POSTGRES names, as in postgres://user@host:port/database. The schema, and
// those whose names begin with its name and _, are dropped when the test has ended.
// Without the variable the test is skipped, and where CI=true fails.
//
// It is for tests in real time: a database behind a network has no part in a [World].
func Postgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv("TUTTI_POSTGRES")
	if base == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("TUTTI_POSTGRES names no PostgreSQL, and CI=true does without none")
		}
		t.Skip("TUTTI_POSTGRES names no PostgreSQL: see scripts/postgres")
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("TUTTI_POSTGRES: %v", err)
	}
	schema := fmt.Sprintf("test_%08x", rand.Uint32())
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	t.Cleanup(func() {
		if err := drop(u.String(), schema); err != nil {
			t.Errorf("drop schema %s: %v", schema, err)
		}
	})
	return u.String()
}

func drop(dsn, schema string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, dsn+"_drop", store.Config{Owner: "drop", Unsynced: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(ctx, func(tx *store.Tx) error {
		all, err := store.Collect(ctx, tx, func(r store.Rows) (name string, err error) { return name, r.Scan(&name) },
			`SELECT nspname FROM pg_namespace WHERE nspname = $1 OR starts_with(nspname, $2)`, schema, schema+"_")
		if err != nil {
			return err
		}
		for _, name := range all {
			if err := tx.Exec(ctx, `DROP SCHEMA "`+name+`" CASCADE`); err != nil {
				return err
			}
		}
		return nil
	})
}
