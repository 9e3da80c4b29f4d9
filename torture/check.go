package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/shop/verify"
)

// ends counts how the acknowledged orders ended.
type ends struct{ confirmed, cancelled int }

// settle waits until every acknowledged order has ended and nothing is under way,
// and lets the auditor look.
func (r *run) settle(ctx context.Context) (ends, verify.Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.set.patience, errPatience)
	defer cancel()
	e, err := r.ended(ctx)
	if err != nil {
		return e, verify.Report{}, err
	}
	for {
		if err := r.quiet(ctx); err != nil {
			return e, verify.Report{}, err
		}
		if err := errors.Join(r.site.stop(ctx), r.site.faults()); err != nil {
			return e, verify.Report{}, err
		}
		report, err := r.verify(ctx, "--settled")
		if err != nil || report.OK() {
			return e, report, err
		}
		if !justLate(report) {
			return e, report, fmt.Errorf("invariants are violated:\n%s", violations(report))
		}
		// A mail or a callback may be under way where no order is.
		if err := r.site.start(); err != nil {
			return e, report, err
		}
		if !sleep(ctx, time.Second) {
			return e, report, fmt.Errorf("stuck: %w: %v", context.Cause(ctx), report.Unsettled)
		}
	}
}

var errPatience = errors.New("not all was settled in time (--patience)")

// ended waits until every acknowledged order is confirmed or cancelled.
func (r *run) ended(ctx context.Context) (e ends, err error) {
	totals := r.journal.all()
	ids := slices.Sorted(maps.Keys(totals))
	how := make([]string, len(ids))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, id := range ids {
		group.Go(func() (err error) {
			how[i], err = r.end(within, id, totals[id])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return e, fmt.Errorf("%w\n%s", err, r.health(context.WithoutCancel(ctx)))
	}
	for _, h := range how {
		if h == "confirmed" {
			e.confirmed++
		} else {
			e.cancelled++
		}
	}
	return e, nil
}

// end waits until an order has ended, and returns how.
func (r *run) end(ctx context.Context, id string, total int64) (string, error) {
	var last string
	for n := 0; ; n++ {
		doors := r.site.doors["order"]
		text, err := ask(ctx, r.load.client, http.MethodGet, doors[n%len(doors)]+"/orders/"+id, "", nil)
		var a *answer
		var o struct {
			Status string
			Total  int64
		}
		switch {
		case errors.As(err, &a) && a.status == http.StatusNotFound:
			return "", fmt.Errorf("lost: order %s was acknowledged, and is not there", id)
		case err != nil:
			last = err.Error()
		case json.Unmarshal(text, &o) != nil || o.Total != total:
			return "", fmt.Errorf("wrong: order %s is %s, want a total of %d", id, text, total)
		case o.Status == "confirmed" || o.Status == "cancelled":
			return o.Status, nil
		default:
			last = string(bytes.TrimSpace(text))
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return "", fmt.Errorf("stuck: %w: order %s: %s", context.Cause(ctx), id, last)
		}
	}
}

// quiet waits until no service has records to read or events to send.
func (r *run) quiet(ctx context.Context) error {
	for {
		calm := true
		for _, s := range r.lookAll(ctx) {
			calm = calm && s.ready && s.unsent == 0 && s.behind == 0
		}
		if calm {
			return nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("stuck: %w\n%s", context.Cause(ctx), r.health(context.WithoutCancel(ctx)))
		}
	}
}

// nothingYet is a shop that was killed before it had stored anything.
type nothingYet struct{ said string }

func (n *nothingYet) Error() string { return n.said }

// verify runs shop verify on what is stored.
func (r *run) verify(ctx context.Context, args ...string) (report verify.Report, err error) {
	args = slices.Concat([]string{"verify", "--json"}, r.site.verify, args)
	cmd := exec.CommandContext(ctx, filepath.Join(r.site.bin, "shop"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if err := json.Unmarshal(stdout.Bytes(), &report); err == nil {
		return report, nil // what it found wrong is in the report
	}
	text := strings.TrimSpace(stderr.String())
	if strings.Contains(text, "has no databases") || strings.Contains(text, "the log is not in it") {
		return report, &nothingYet{text}
	}
	return report, fmt.Errorf("shop verify: %w: %s", cmp.Or(err, errors.New("it wrote no report")), text)
}

// justLate reports whether nothing is wrong but that something is under way.
func justLate(r verify.Report) bool {
	for name, inv := range r.Invariants {
		if !inv.OK && name != verify.Settled {
			return false
		}
	}
	return true
}

func violations(r verify.Report) string {
	var b strings.Builder
	for _, name := range sorted(r.Invariants) {
		for _, v := range r.Invariants[name].Examples {
			fmt.Fprintf(&b, "  %s: %v\n", name, v)
		}
	}
	return b.String()
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
