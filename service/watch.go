package service

import (
	"bytes"
	"fmt"
	"runtime"
	"time"
)

// illness is why the database takes no transactions.
type illness struct {
	err   error
	since time.Time
}

// ail notes that the database has not taken a transaction since some time, and reports
// whether that is new; a commit ends it.
func (l *loop) ail(since time.Time, err error) (fresh bool) {
	before := l.ill.Load()
	if before != nil {
		since = before.since
	}
	l.ill.Store(&illness{err, since})
	return before == nil
}

// hangs returns how long the current transaction has been running, if that is longer
// than handlers that keep to their context can make it, and what it is at.
func (l *loop) hangs() (time.Duration, string) {
	since := l.busy.Load()
	if since == 0 {
		return 0, ""
	}
	d := time.Since(time.UnixMilli(since))
	if d <= 2*l.s.cfg.HandlerTimeout {
		return 0, ""
	}
	what := "a handler hangs, or the database does not answer"
	if e := l.doing.Load(); e != nil {
		what = fmt.Sprintf("the handler of %s at %s hangs and ignores its context, or the database does not answer", e.Type, e.Position())
	}
	return d.Truncate(time.Second), what
}

// watch says once of each transaction that it hangs, with the stack of its handler.
// told is the transaction of which it was said last.
func (l *loop) watch(told int64) int64 {
	began := l.busy.Load()
	if d, what := l.hangs(); d > 0 && began != told {
		l.s.log.Error("a transaction does not end: nothing else is handled until it does; if it stays so, restart the service", "for", d.String(),
			"because", what, "stack", l.stack())
		return began
	}
	return told
}

// goroutine names the calling goroutine as stacks do: "goroutine 17 ".
func goroutine() string {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	name, _, _ := bytes.Cut(buf, []byte("["))
	return string(name)
}

// stack returns where the loop's goroutine is.
func (l *loop) stack() string {
	id, ok := l.id.Load().(string)
	if !ok {
		return ""
	}
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for part := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if bytes.HasPrefix(part, []byte(id)) {
			return string(part)
		}
	}
	return ""
}
