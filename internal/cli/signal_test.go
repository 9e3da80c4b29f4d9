package cli

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A second signal ends the process at once, but not the same one that is sent twice:
// timeout sends it to the process, and then to its group.
func TestSecondSignal(t *testing.T) {
	for _, c := range []struct {
		name    string
		after   []time.Duration // from one signal to the next
		stopped bool
		endedAt int // which signal ends the process; 0 for none
	}{
		{"none", nil, false, 0},
		{"one", []time.Duration{0}, true, 0},
		{"one that is sent twice", []time.Duration{0, 5 * time.Microsecond}, true, 0},
		{"one that is sent twice, and another", []time.Duration{0, 0, time.Second}, true, 3},
		{"two", []time.Duration{0, time.Second}, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				stopped, sent, ended := false, 0, 0
				go heed(signals, func() { stopped = true }, func() { ended = sent })
				for _, d := range c.after {
					time.Sleep(d)
					sent++
					signals <- syscall.SIGTERM
					synctest.Wait()
				}
				close(signals)
				synctest.Wait()
				if stopped != c.stopped || ended != c.endedAt {
					t.Errorf("stopped %v, ended at signal %d, want %v and %d", stopped, ended, c.stopped, c.endedAt)
				}
			})
		})
	}
}
