package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // to count rows beside the shop, as anybody may
)

// watch looks at a shop in one process from outside: at what the kernel, the
// process and the databases say of it.
type watch struct {
	run       *run
	admin     string // where the shop tells of its runtime
	databases map[string]*sql.DB
	plot      string // files to be written; plot may be empty
	figures   string
	times     []time.Duration
	series    []*series
}

// tables are those of the framework.
var tables = []string{"tutti_outbox", "tutti_job", "tutti_parked", "tutti_seen", "tutti_foreign", "tutti_position"}

func newWatch(r *run) (*watch, error) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		return nil, fmt.Errorf("a soak reads figures of processes from /proc: %w", err)
	}
	w := &watch{run: r, databases: map[string]*sql.DB{}, admin: r.site.admin}
	for _, s := range []series{
		{name: "memory (RSS)", unit: "MB", noise: 16}, {name: "heap in use", unit: "MB", noise: 8},
		{name: "open files", noise: 8}, {name: "goroutines", noise: 16}, {name: "WAL files", unit: "MB", noise: 16},
	} {
		w.series = append(w.series, &s)
	}
	for _, t := range tables {
		w.series = append(w.series, &series{name: t, unit: "rows", noise: 50})
	}
	return w, nil
}

func (w *watch) close() error {
	var errs []error
	for _, db := range w.databases {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// sample adds a value to each series.
func (w *watch) sample(ctx context.Context) error {
	pid := w.run.site.processes[0].pid()
	rss, err := residentMB(pid)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	heap, goroutines, err := w.runtime(ctx)
	if err != nil {
		return err
	}
	wal, err := w.walMB()
	if err != nil {
		return err
	}
	values := []float64{rss, heap, float64(len(files)), goroutines, wal}
	for _, t := range tables {
		n, err := w.rows(ctx, t)
		if err != nil {
			return err
		}
		values = append(values, n)
	}
	for i, v := range values {
		w.series[i].values = append(w.series[i].values, v)
	}
	return nil
}

const mb = 1 << 20

// residentMB reads the second field of statm, in pages (proc(5)).
func residentMB(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of process %d is %q", pid, text)
	}
	pages, err := strconv.ParseFloat(string(fields[1]), 64)
	return pages * float64(os.Getpagesize()) / mb, err
}

// runtime asks the process.
func (w *watch) runtime(ctx context.Context) (heapMB, goroutines float64, err error) {
	text, err := ask(ctx, w.run.load.client, http.MethodGet, w.admin+"/runtime", "", nil)
	if err != nil {
		return 0, 0, err
	}
	var said struct{ Goroutines, HeapBytes float64 }
	if err := json.Unmarshal(text, &said); err != nil {
		return 0, 0, fmt.Errorf("read %s/runtime: %w", w.admin, err)
	}
	return said.HeapBytes / mb, said.Goroutines, nil
}

func (w *watch) walMB() (float64, error) {
	files, err := filepath.Glob(filepath.Join(w.run.site.data(), "*.db-wal"))
	sum := int64(0)
	for _, f := range files {
		info, e := os.Stat(f)
		if e != nil {
			return 0, e
		}
		sum += info.Size()
	}
	return float64(sum) / mb, err
}

// rows counts the rows of a table over all services.
func (w *watch) rows(ctx context.Context, table string) (sum float64, err error) {
	for _, service := range services {
		db := w.databases[service]
		if db == nil {
			if db, err = sql.Open("sqlite", "file:"+filepath.Join(w.run.site.data(), service+".db")+"?mode=ro&_pragma=busy_timeout(5000)"); err != nil {
				return 0, err
			}
			db.SetMaxOpenConns(1)
			w.databases[service] = db
		}
		var n float64
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
			return 0, fmt.Errorf("count %s of %s: %w", table, service, err)
		}
		sum += n
	}
	return sum, nil
}
