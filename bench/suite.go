package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-go/tutti/bench/load"
)

// suite measures cases one after the other, each in a process of its own and in a
// directory that is removed after it, unless what is stored there serves later turns.
type suite struct {
	options
	dir      string
	builder  builder
	postgres postgres
	kept     map[string]string // the directories of cases
	report   Report
}

func newSuite(o options) (*suite, error) {
	dir, err := os.MkdirTemp("", "tutti-bench-")
	if err != nil {
		return nil, err
	}
	s := &suite{options: o, dir: dir, kept: map[string]string{}, builder: builder{dir: filepath.Join(dir, "bin"), done: map[string]error{}}}
	// Servers that refuse to run as root have to get in.
	return s, errors.Join(os.Chmod(dir, 0o755), os.Mkdir(s.builder.dir, 0o755))
}

func (s *suite) close() error { return errors.Join(s.postgres.stop(), os.RemoveAll(s.dir)) }

// measure runs the cases, all of them in each turn: so a machine that is slower for a
// while is so for all. A case that fails does not keep others from being measured; if
// ctx ends, the report has what was measured before.
func (s *suite) measure(ctx context.Context) (Report, error) {
	var err error
	s.report.Command = strings.Join(append([]string{"go run ."}, os.Args[1:]...), " ")
	s.report.Begun = time.Now().UTC().Truncate(time.Second)
	if s.report.Machine, err = describe(s.dir); err != nil {
		return s.report, err
	}
	all := slices.DeleteFunc(cases(s.options), func(c Case) bool { return !s.only.MatchString(c.Name) })
	measured := make([][]Outcome, len(all))
	for turn := range s.turns {
		for i, c := range all {
			out := s.one(ctx, c)
			if err := ctx.Err(); err != nil {
				return s.report, errors.New("stopped before the end")
			}
			fmt.Fprintln(os.Stderr, out.line())
			measured[i] = append(measured[i], out)
			if out = median(measured[i]); turn == 0 {
				s.report.Outcomes = append(s.report.Outcomes, out)
			} else {
				s.report.Outcomes[i] = out
			}
		}
	}
	s.report.Seconds = time.Since(s.report.Begun).Round(time.Second).Seconds()
	s.report.Versions = versions(ctx, s.postgres.version(ctx))
	s.report.Goals = judge(&s.report)
	if len(s.report.Outcomes) == 0 {
		return s.report, fmt.Errorf("%w: there is no such case (see --list)", errMisused)
	}
	return s.report, nil
}

// one measures one case.
func (s *suite) one(ctx context.Context, c Case) (out Outcome) {
	out = Outcome{Case: c.Name, System: c.System, Setting: c.Setting}
	result, err := s.attempt(ctx, c)
	var skipped skip
	switch {
	case errors.As(err, &skipped):
		out.Skipped = skipped.reason
	case err != nil:
		out.Failed = err.Error()
	default:
		out.Result = &result
	}
	return out
}

func (s *suite) attempt(ctx context.Context, c Case) (result load.Result, err error) {
	if s.quick {
		c.inFlight = min(c.inFlight, 100) // a slow machine gets through those in the time, too
	}
	if c.halfOf != "" {
		if c.rate = s.report.highest(c.halfOf) / 2; c.rate == 0 {
			return result, skip{"the highest load is not known: no closed loop of " + c.halfOf + " was measured in this run"}
		}
	}
	if c.program != "" { // building takes the time that it takes
		if _, err := s.builder.build(ctx, c.program); err != nil {
			return result, err
		}
		if _, err := s.builder.more(ctx, c.program); err != nil {
			return result, err
		}
	}
	w := workplace{dir: s.kept[c.Name]}
	if w.stored = w.dir != ""; !w.stored {
		if w.dir, err = os.MkdirTemp(s.dir, "case-"); err != nil {
			return result, err
		}
	}
	defer func() {
		if c.keeps && s.turns > 1 && err == nil {
			s.kept[c.Name] = w.dir
			return
		}
		delete(s.kept, c.Name)
		err = errors.Join(err, os.RemoveAll(w.dir))
	}()
	if err := os.Chmod(w.dir, 0o755); err != nil {
		return result, err
	}
	const patience = 20 * time.Minute // beside the time of the measurement
	ctx, cancel := context.WithTimeoutCause(ctx, s.warm+s.measured+patience, errors.New("it takes too long"))
	defer cancel()
	if c.postgres {
		var drop func() error
		if w.database, drop, err = s.postgres.database(ctx, s.dir); err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, drop()) }()
	}
	if c.kafka {
		var stop func() error
		if w.brokers, stop, err = kafka(ctx, w.dir, s.kafkaSynced); err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if c.run != nil {
		return c.run(ctx, s, w)
	}
	return s.program(ctx, c, w)
}

// program measures by one of the programs.
func (s *suite) program(ctx context.Context, c Case, w workplace) (result load.Result, err error) {
	path, err := s.builder.build(ctx, c.program)
	if err != nil {
		return result, err
	}
	more, err := s.builder.more(ctx, c.program)
	if err != nil {
		return result, err
	}
	if c.unless != "" {
		if err := s.hasFlag(ctx, more[1], c.unless); err != nil {
			return result, err
		}
	}
	if os.Getenv("TUTTI_KAFKA") != "" && c.kafka {
		if c.program == "shop" {
			return result, skip{"the topics of the shop have fixed names, so it does not run on the Kafka of others (TUTTI_KAFKA)"}
		}
		more = append(more, "--prefix", "bench-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	}
	args := append(append([]string{path}, c.command(s, w)...), more...)
	for _, store := range c.before {
		if w.stored {
			break
		}
		if _, err := child(ctx, w.dir, append(slices.Clone(args), store...)...); err != nil {
			return result, fmt.Errorf("store %s: %w", strings.Join(store, " "), err)
		}
	}
	out, err := child(ctx, w.dir, args...)
	if err != nil {
		return result, err
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &result); err != nil {
		return result, fmt.Errorf("understand the result %q: %w", out, err)
	}
	return result, nil
}

// median is what stands for the turns of a case: the one whose rate is in the middle, or
// the first of which there is no result.
func median(turns []Outcome) Outcome {
	if i := slices.IndexFunc(turns, func(o Outcome) bool { return o.Result == nil }); i >= 0 {
		return turns[i]
	}
	turns = slices.SortedFunc(slices.Values(turns), func(a, b Outcome) int { return cmp.Compare(a.Result.PerSecond, b.Result.PerSecond) })
	return turns[(len(turns)-1)/2]
}

// hasFlag says whether the shop that was built knows a flag.
func (s *suite) hasFlag(ctx context.Context, shop, flag string) error {
	out, err := child(ctx, s.dir, shop, "--help")
	if err == nil && !bytes.Contains(out, []byte(flag)) {
		err = skip{"this shop has no flag " + flag}
	}
	return err
}

// count writes a number as people do: 10k, 1M.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n >= 1000 && n%1000 == 0:
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}

var platform = runtime.GOOS + "/" + runtime.GOARCH
