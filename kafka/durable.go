package kafka

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// durable is a listener whose connections answer only once all that the broker has
// written to its log is on disk.
//
// The broker could sync by itself, but would do so file by file, for each batch, on
// the goroutine that serves everyone, and would not look at the errors. Here all
// answers that wait share one sync of the files that changed, as a database's group
// commit does, while the broker goes on. Whatever anybody is told, or reads, has been
// synced before.
type durable struct {
	net.Listener
	log *logFiles
}

func (d durable) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return durableConn{c, d.log}, nil
}

type durableConn struct {
	net.Conn
	log *logFiles
}

func (c durableConn) Write(b []byte) (int, error) {
	if err := c.log.sync(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// logFiles are the files of a broker's log. The broker only appends to them, so that
// one has changed if it has grown, or puts another into its place.
type logFiles struct {
	dir    string
	logger *slog.Logger
	flush  func(*os.File) error // to disk

	mu       sync.Mutex
	ended    *sync.Cond // a round has ended
	running  bool
	started  int64 // rounds
	finished int64
	err      error // after a failed sync, nothing can be known of the file any more

	open map[string]*logFile // used by the round that runs
}

// logFile is a file, or a folder, as of its last sync.
type logFile struct {
	*os.File
	folder bool
	dirty  bool
	size   int64
	mtime  time.Time
}

func newLogFiles(dir string, logger *slog.Logger) *logFiles {
	l := &logFiles{dir: dir, logger: logger, flush: (*os.File).Sync, open: map[string]*logFile{}}
	l.ended = sync.NewCond(&l.mu)
	return l
}

// sync returns once all that was written before the call is on disk.
func (l *logFiles) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for round := l.started + 1; l.finished < round && l.err == nil; {
		if l.running {
			l.ended.Wait()
			continue
		}
		l.running = true
		l.started++
		l.mu.Unlock()
		err := l.round()
		l.mu.Lock()
		l.running = false
		l.finished++
		if err != nil {
			l.err = fmt.Errorf("sync the broker's log in %s: %w", l.dir, err)
			l.logger.Error("the embedded broker cannot write its log; it answers nobody until it is started again", "error", l.err)
		}
		l.ended.Broadcast()
	}
	return l.err
}

// round syncs what has changed, all at once: the file system makes one write of it.
func (l *logFiles) round() error {
	if err := l.add(l.dir); err != nil {
		return err
	}
	dirty, err := l.changed()
	if err != nil || len(dirty) == 0 {
		return err
	}
	errs := make([]error, len(dirty))
	var wg sync.WaitGroup
	for i, f := range dirty[1:] {
		wg.Go(func() { errs[i+1] = l.flush(f) })
	}
	errs[0] = l.flush(dirty[0])
	wg.Wait()
	return errors.Join(errs...)
}

// changed returns the files that have grown, and the folders that have got others.
func (l *logFiles) changed() ([]*os.File, error) {
	for again := true; again; { // folders may have come that have folders
		again = false
		for path, f := range l.open {
			info, err := f.Stat()
			if err != nil {
				return nil, err
			}
			if info.Size() == f.size && info.ModTime().Equal(f.mtime) {
				continue
			}
			f.dirty, f.size, f.mtime = true, info.Size(), info.ModTime()
			if !f.folder {
				continue
			}
			if time.Since(f.mtime) < tick {
				f.mtime = time.Time{} // it may change again without another time
			}
			more, err := l.list(path)
			if err != nil {
				return nil, err
			}
			again = again || more
		}
	}
	var dirty []*os.File
	for _, f := range l.open {
		if f.dirty {
			dirty = append(dirty, f.File)
			f.dirty = false
		}
	}
	return dirty, nil
}

// tick is longer than any file system's clock takes for a step.
const tick = 100 * time.Millisecond

// list opens what is new in a folder, and closes what is gone. It reports whether
// anything is new.
func (l *logFiles) list(folder string) (more bool, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		there[path] = true
		if f := l.open[path]; f != nil && f.replaced(e) {
			l.drop(path, f)
		}
		if ext := filepath.Ext(path); l.open[path] != nil || !e.IsDir() && ext != ".dat" && ext != ".idx" && ext != ".log" {
			continue // what else there is, the broker syncs by itself
		}
		if err := l.add(path); err != nil {
			return false, err
		}
		more = true
	}
	for path, f := range l.open {
		if filepath.Dir(path) == folder && !there[path] {
			l.drop(path, f)
		}
	}
	return more, nil
}

// replaced reports whether another file has taken the place of f: the broker writes some
// anew when they have grown.
func (f *logFile) replaced(by fs.DirEntry) bool {
	was, err := f.Stat()
	if err != nil || f.folder {
		return false
	}
	is, err := by.Info()
	return err == nil && !os.SameFile(was, is)
}

// drop closes a file or folder that was deleted, with what was in it.
func (l *logFiles) drop(path string, f *logFile) {
	_ = f.Close() // opened to sync, not to write
	delete(l.open, path)
	for inside, f := range l.open {
		if filepath.Dir(inside) == path {
			l.drop(inside, f)
		}
	}
}

// add opens a file or folder that is to be watched.
func (l *logFiles) add(path string) error {
	if l.open[path] != nil {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.open[path] = &logFile{File: f, folder: info.IsDir(), size: -1}
	return nil
}

// close ends the watch. No round runs.
func (l *logFiles) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = net.ErrClosed
	for l.running {
		l.ended.Wait()
	}
	for path, f := range l.open {
		l.drop(path, f)
	}
}
