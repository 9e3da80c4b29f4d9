package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// process is a program that is started again whenever it has ended, as a supervisor
// would do it.
type process struct {
	name string
	path string
	args []string
	url  string // where it serves HTTP; empty if it does not
	log  string // file that takes all it says

	ended   chan struct{} // closed once nobody starts it any more
	mu      sync.Mutex
	cmd     *exec.Cmd // the last start
	started time.Time // of cmd
	leave   bool      // do not start it again
	alive   bool      // cmd runs
	killed  bool      // cmd was killed by us
	after   func()    // called between that and the next start
	falls   []string  // how it ended by itself
}

// rest is how long a process that has ended by itself stays down.
const rest = 300 * time.Millisecond

// start starts the process, and keeps it going until stop.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.leave = make(chan struct{}), false
	if err := p.launch(); err != nil {
		return err
	}
	go p.keep()
	return nil
}

// launch starts the program. The caller holds the lock.
func (p *process) launch() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer out.Close() // the process has its own
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.started, p.alive, p.killed, p.after = cmd, time.Now(), true, false, nil
	return nil
}

// keep starts the program again whenever it has ended.
func (p *process) keep() {
	defer close(p.ended)
	for {
		err := p.cmd.Wait()
		p.mu.Lock()
		p.alive = false
		if !p.killed && (!p.leave || err != nil) {
			p.falls = append(p.falls, fmt.Sprintf("%v: %s", p.cmd.ProcessState, p.lastLine()))
		}
		leave, after := p.leave, p.after
		p.mu.Unlock()
		switch {
		case leave:
			return
		case after != nil:
			after()
		default:
			time.Sleep(rest)
		}
		p.mu.Lock()
		if p.leave {
			p.mu.Unlock()
			return
		}
		err = p.launch()
		if err != nil {
			p.falls = append(p.falls, err.Error())
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// kill ends the process at once, as kill -9 does, and reports false if it was down
// already. It is started again when after has returned.
func (p *process) kill(after func()) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive {
		return false, nil
	}
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("kill %s: %w", p.name, err)
	}
	p.killed, p.after = true, after
	return true, nil
}

// freeze stops the process where it is, and thaw lets it go on.
func (p *process) freeze() error { return p.signal(sigStop) }
func (p *process) thaw() error   { return p.signal(sigCont) }

func (p *process) signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s: %w", s, p.name, err)
	}
	return nil
}

// stop ends the process as Ctrl-C does. One that does not end in time says where it
// hangs, in its log.
func (p *process) stop(ctx context.Context, within time.Duration) error {
	p.mu.Lock()
	p.leave = true
	_ = p.cmd.Process.Signal(os.Interrupt) // or it has ended
	p.mu.Unlock()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
	case <-time.After(within):
		_ = p.signal(sigQuit)
		defer p.abandon()
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second):
		}
		return fmt.Errorf("%s does not stop within %v; its goroutines are in %s", p.name, within, p.log)
	}
	p.abandon()
	return ctx.Err()
}

// abandon ends the process for good.
func (p *process) abandon() {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return
	}
	p.leave, p.killed, p.after = true, true, nil
	_ = p.cmd.Process.Kill() // or it has ended
	p.mu.Unlock()
	<-p.ended
}

// age is how long ago the process was started.
func (p *process) age() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.started)
}

// up reports whether the process runs.
func (p *process) up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive
}

// pid is the process as it runs now.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// fallen is how often the process ended by itself so far, by how it did.
func (p *process) fallen() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	const most = 300 // bytes of a reason
	times := map[string]int{}
	for _, f := range p.falls {
		times[f[:min(len(f), most)]]++
	}
	return times
}

// lastLine is the last line of the log.
func (p *process) lastLine() string {
	lines := bytes.Split(bytes.TrimSpace(p.tail(16<<10)), []byte("\n"))
	return string(lines[len(lines)-1])
}

// tail is the last bytes of the log.
func (p *process) tail(n int64) []byte {
	f, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(size-n, 0), io.SeekStart) // a place within the file
	}
	text, _ := io.ReadAll(f) // what can be read is worth showing
	return text
}

// faults are signs of a broken program in the log.
func (p *process) faults() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Errorf("read log of %s: %w", p.name, err)
	}
	for _, sign := range []string{"\npanic: ", "\nfatal error: ", "DATA RACE"} {
		if bytes.Contains(text, []byte(sign)) {
			return fmt.Errorf("%s: %q in %s", p.name, sign, filepath.Base(p.log))
		}
	}
	return nil
}
