package store

import (
	"errors"
	"fmt"
	"os"

	sqlite3 "modernc.org/sqlite"
)

// ErrUnavailable says that the database itself does not work now: its disk is full,
// its file gone or not writable, its server out of reach. What was under way can be done again when it does.
var ErrUnavailable = errors.New("the database does not work")

// remedies say what an operator does, by SQLite's primary result codes
// (https://sqlite.org/rescode.html).
var remedies = map[int]string{
	5:  "another program holds its write lock: end it",
	8:  "file, directory or disk is read-only: give the service the right to write",
	10: "the disk reports errors: look at the system's log",
	11: "the file is damaged: stop the service, and bring back the newest copy",
	13: "the disk is full: make room, and the service goes on",
	14: "the file cannot be opened: is its directory there, and may the service write to it?",
	26: "the file is damaged: stop the service, and bring back the newest copy",
}

// explained adds what to do to errors that are the database's own fault and not that
// of a statement.
func explained(err error) error {
	var e *sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	if remedy, ok := remedies[e.Code()&0xff]; ok {
		return fmt.Errorf("%w: %w (%s)", ErrUnavailable, err, remedy)
	}
	return err
}

// there checks that the path still names the open file. On most systems one may go on
// writing to a file that was removed, and lose all of it in the end.
func (s *sqlite) there() error {
	now, err := os.Stat(s.path)
	if err == nil && os.SameFile(now, s.file) {
		return nil
	}
	if err == nil {
		err = errors.New("another file is in its place")
	}
	return fmt.Errorf("%w: its file was removed, moved or replaced while it was in use: %w (nothing is committed until it is back; "+
		"to go on with another copy, stop the service, and put the copy there)", ErrUnavailable, err)
}
