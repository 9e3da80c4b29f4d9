package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite"
)

// ErrUnavailable says that the database itself does not work now: its disk is full,
// its file gone or not writable, its server out of reach. What was under way can be done again when it does.
var ErrUnavailable = errors.New("the database does not work")

// Away reports whether an error says that the database's server cannot be reached, or
// takes nobody now, as while it starts. That passes by itself, as a wrong password does
// not.
func Away(err error) bool {
	if !errors.Is(err, ErrUnavailable) {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57P")
	}
	for _, passing := range []error{io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, net.ErrClosed} {
		if errors.Is(err, passing) {
			return true
		}
	}
	_, ok := errors.AsType[net.Error](err) // refused, unknown host, out of time
	return ok
}

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

// endedError is the failure of a statement with which the database has rolled the
// whole transaction back, and not just the statement.
type endedError struct{ error }

func (e endedError) Error() string {
	return "the database has ended the transaction: " + e.error.Error()
}
func (e endedError) Unwrap() error { return e.error }

// Ended reports whether an error says that a statement has ended its transaction, as
// INSERT OR ROLLBACK does on SQLite, by a fault of its own and not of the database:
// run again, it does so again.
func Ended(err error) bool {
	var ended endedError
	return errors.As(err, &ended) && !errors.Is(err, ErrUnavailable)
}

// judge explains the error of a statement, and finds out what it leaves of the
// transaction. SQLite ends one by itself where a statement asks for that, and where
// disk or memory fail (https://sqlite.org/lang_transaction.html); what came after it
// would be committed statement by statement. So nothing may.
func (s *sqlite) judge(err error) error {
	err = explained(err)
	if !s.open || s.failed != nil {
		return err
	}
	_, begun := s.writer.ExecContext(context.Background(), "BEGIN") // fails within a transaction, and does nothing then
	switch {
	case begun == nil:
		_, _ = s.writer.ExecContext(context.Background(), "ROLLBACK") // it is empty
		s.ended = true
		s.failed = endedError{err}
	case errors.Is(err, ErrUnavailable), !strings.Contains(begun.Error(), "within a transaction"):
		s.failed = err
	default:
		return err // the statement's own, and undone with it
	}
	return s.failed
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
