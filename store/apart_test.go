package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tutti-go/tutti/store"
)

// testApart: whatever is done in parts of a transaction that are not confirmed, either
// each part that is said to have succeeded has its effect, and no other has, or the
// transaction fails as a whole.
func testApart(t *testing.T, dsn string) {
	s := open(t, dsn, config())
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `CREATE TABLE n (v INTEGER PRIMARY KEY)`) })
	committed, failed := 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // reproducible
		update(t, s, func(tx *store.Tx) error { return tx.Exec(t.Context(), `DELETE FROM n`) })
		want, broken := map[int]bool{}, error(nil)
		_, err := commit(t, s, store.Books{}, func(tx *store.Tx) {
			for v := range 1 + r.IntN(6) {
				var fault error
				if fault, broken = tx.Apart(t.Context(), part(t, tx, r, v)); broken != nil {
					return
				}
				want[v] = fault == nil
			}
			if broken == nil {
				broken = tx.Again()
			}
		})
		got := map[int]bool{}
		all, e := store.Collect(t.Context(), s.Reader(), func(r store.Rows) (v int, err error) { return v, r.Scan(&v) }, `SELECT v FROM n`)
		if e != nil {
			t.Fatal(e)
		}
		for _, v := range all {
			got[v] = true
		}
		if err != nil || broken != nil {
			if failed++; len(got) != 0 && err != nil {
				t.Fatalf("seed %d: the transaction failed with %v, and left %v", seed, err, got)
			}
			continue
		}
		committed++
		for v, ok := range want {
			if got[v] != ok {
				t.Fatalf("seed %d: part %d is said to have succeeded: %v, its effect is there: %v", seed, v, ok, got[v])
			}
		}
	}
	if committed == 0 {
		t.Error("no transaction was committed")
	}
	t.Logf("%d committed, %d failed", committed, failed)
}

// part inserts a row, and does something else: what fails at once or later, what is
// looked at, what is given up, or nothing.
func part(t *testing.T, tx *store.Tx, r *rand.Rand, v int) func() error {
	return func() error {
		if err := tx.Exec(t.Context(), `INSERT INTO n (v) VALUES ($1)`, v); err != nil {
			return err
		}
		switch r.IntN(8) {
		case 0:
			return errors.New("given up")
		case 1:
			return tx.Exec(t.Context(), `INSERT INTO n (v) VALUES ($1)`, v) // twice
		case 2:
			var n int
			if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM n WHERE v = $1`, v).Scan(&n); err != nil {
				return err
			}
			if n != 1 {
				return fmt.Errorf("%d rows of %d", n, v)
			}
		case 3:
			_ = tx.Exec(t.Context(), `INSERT INTO n (v) VALUES ($1)`, v) // twice, and nobody cares
		}
		return nil
	}
}
