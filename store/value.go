package store

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tutti-go/tutti/event"
)

// storable refuses text that PostgreSQL does not store, before the server does: the
// message says which argument it is, and no attempt after it would succeed.
func storable(args []any) error {
	for i, arg := range args {
		s, ok := arg.(string)
		if !ok {
			v := reflect.ValueOf(arg)
			if v.Kind() != reflect.String {
				continue
			}
			s = v.String()
		}
		switch {
		case strings.IndexByte(s, 0) >= 0:
			return event.Reject(fmt.Errorf("argument $%d is text with a NUL character, which PostgreSQL does not store", i+1))
		case !utf8.ValidString(s):
			return event.Reject(fmt.Errorf("argument $%d is no valid UTF-8, the only text that PostgreSQL stores", i+1))
		}
	}
	return nil
}

// fetched is a result that was read as a whole, so that other statements can be run
// while it is looked at.
type fetched struct {
	types  *pgtype.Map
	fields []pgconn.FieldDescription
	rows   [][][]byte
	next   int
}

func (r *fetched) Next() bool {
	if r.next >= len(r.rows) {
		return false
	}
	r.next++
	return true
}

func (r *fetched) Scan(dest ...any) error {
	if len(dest) != len(r.fields) {
		return fmt.Errorf("scan: %d columns into %d variables", len(r.fields), len(dest))
	}
	row := r.rows[r.next-1]
	for i, f := range r.fields {
		if err := r.types.Scan(f.DataTypeOID, f.Format, row[i], dest[i]); err != nil {
			return fmt.Errorf("scan column %s: %w", f.Name, err)
		}
	}
	return nil
}

func (r *fetched) Err() error { return nil }

func (r *fetched) Close() error { return nil }

// lenient lets a truth be written to and read from an integer column, as SQLite
// does, which has no others.
func lenient(m *pgtype.Map) {
	m.TryWrapEncodePlanFuncs = append(m.TryWrapEncodePlanFuncs, func(v any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
		b, ok := v.(bool)
		if !ok {
			return nil, nil, false
		}
		return &writeTruth{}, bit(b), true
	})
	m.TryWrapScanPlanFuncs = append(m.TryWrapScanPlanFuncs, func(target any) (pgtype.WrappedScanPlanNextSetter, any, bool) {
		if _, ok := target.(*bool); !ok {
			return nil, nil, false
		}
		return &readTruth{}, new(int64), true
	})
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

type writeTruth struct{ next pgtype.EncodePlan }

func (w *writeTruth) SetNext(next pgtype.EncodePlan) { w.next = next }

func (w *writeTruth) Encode(v any, buf []byte) ([]byte, error) {
	return w.next.Encode(bit(v.(bool)), buf)
}

type readTruth struct{ next pgtype.ScanPlan }

func (r *readTruth) SetNext(next pgtype.ScanPlan) { r.next = next }

func (r *readTruth) Scan(src []byte, target any) error {
	var n int64
	if err := r.next.Scan(src, &n); err != nil {
		return err
	}
	*target.(*bool) = n != 0
	return nil
}
