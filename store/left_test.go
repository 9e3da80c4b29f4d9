package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tutti-go/tutti/store"
)

// TestResultsLeftOpen: results that handlers do not close do not keep the database from
// being closed, and with it the service from stopping.
func TestResultsLeftOpen(t *testing.T) {
	s, err := store.Open(t.Context(), databases["sqlite"](t), config())
	if err != nil {
		t.Fatal(err)
	}
	leave := func(tx *store.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT name FROM tutti_meta`)
		if err == nil && !rows.Next() {
			err = errors.New("no rows")
		}
		tx.QueryRow(t.Context(), `SELECT name FROM tutti_meta`) // and not scanned
		return err
	}
	update(t, s, leave)
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(leave(tx), errors.New("undone")) }); err == nil {
		t.Error("Update() = nil, want what fn returned")
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close() = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Close() waits for results that nobody reads")
	}
}
