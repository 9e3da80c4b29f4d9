package kafka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
)

// onDisk is what would be there after a loss of power: files as of their last sync.
type onDisk struct {
	mu    sync.Mutex
	sizes map[string]int64
}

func (d *onDisk) flush(f *os.File) error {
	info, err := f.Stat() // before the sync: what is written meanwhile is not promised
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sizes[f.Name()] = max(d.sizes[f.Name()], info.Size())
	return nil
}

func (d *onDisk) size(path string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sizes[path]
}

func TestSyncCoversWhatWasWrittenBefore(t *testing.T) {
	dir := t.TempDir()
	disk := &onDisk{sizes: map[string]int64{}}
	l := newLogFiles(dir, slog.Default())
	l.flush = disk.flush
	defer l.close()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			// Folders and files come as the broker makes them: topic by topic, segment
			// by segment.
			for segment := range 5 {
				folder := filepath.Join(dir, "partitions", "topic"+strconv.Itoa(n%4)+"-"+strconv.Itoa(n))
				if err := os.MkdirAll(folder, 0o755); err != nil {
					t.Error(err)
				}
				path := filepath.Join(folder, strconv.Itoa(segment)+".dat")
				f, err := os.Create(path)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range 20 {
					if _, err := f.WriteString("record"); err != nil {
						t.Error(err)
					}
					if err := l.sync(); err != nil {
						t.Error(err)
					}
					if have, want := disk.size(path), int64(6*(i+1)); have < want {
						t.Errorf("%s: %d bytes are on disk, want %d", path, have, want)
						return
					}
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := os.RemoveAll(filepath.Join(dir, "partitions", "topic0-0")); err != nil {
		t.Fatal(err)
	}
	if err := l.sync(); err != nil {
		t.Errorf("sync after a folder was deleted: %v", err)
	}
	for path := range l.open {
		if strings.Contains(path, "topic0-0") {
			t.Errorf("%s was deleted and is still open", path)
		}
	}
}

// A record is acknowledged, and read, only once it is on disk.
func TestNothingIsToldBeforeItIsOnDisk(t *testing.T) {
	b, err := Embed(BrokerConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	disk := &onDisk{sizes: map[string]int64{}}
	b.log.flush = disk.flush // before any connection
	p, bus := producerTo(t, b)
	path := filepath.Join(b.log.dir, "partitions", "t-0", "0.dat")
	for i := range 50 {
		if err := send(t.Context(), p, "record"); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if have := disk.size(path); have != info.Size() {
			t.Fatalf("record %d was acknowledged with %d of %d bytes on disk", i, have, info.Size())
		}
	}
	bus.Close()
}

func TestFailingDiskAcknowledgesNothing(t *testing.T) {
	b, err := Embed(BrokerConfig{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	broken := errors.New("input/output error")
	var failing sync.Map
	b.log.flush = func(f *os.File) error {
		if _, yes := failing.Load("now"); yes {
			return broken
		}
		return f.Sync()
	}
	p, bus := producerTo(t, b)
	defer bus.Close()
	if err := send(t.Context(), p, "before"); err != nil {
		t.Fatal(err)
	}
	failing.Store("now", true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := send(ctx, p, "after"); err == nil {
		t.Error("a record was acknowledged that could not be written to disk")
	}
	failing.Delete("now") // what was lost, nobody knows: one success says nothing
	if err := b.log.sync(); !errors.Is(err, broken) {
		t.Errorf("sync after a failed one: %v, want %v", err, broken)
	}
}

func producerTo(t *testing.T, b *Broker) (*Producer, *Bus) {
	t.Helper()
	bus, err := Connect(t.Context(), Config{Brokers: b.Addrs(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: "t"}}); err != nil {
		t.Fatal(err)
	}
	p, err := bus.Producer("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, bus
}

func send(ctx context.Context, p *Producer, value string) error {
	done := make(chan error, 1)
	p.Send(ctx, event.Partition{Topic: "t"}, event.Record{Key: []byte("k"), Value: []byte(value)}, func(_ int64, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The broker writes some of its files anew, when they have grown, and puts them into the
// place of the old ones.
func TestReplacedFilesAreSynced(t *testing.T) {
	dir := t.TempDir()
	disk := &onDisk{sizes: map[string]int64{}}
	l := newLogFiles(dir, slog.Default())
	l.flush = disk.flush
	defer l.close()
	path := filepath.Join(dir, "groups.log")
	for n := range 3 {
		f, err := os.Create(path + ".tmp")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := f.WriteString("commit"); err != nil {
				t.Fatal(err)
			}
			if err := l.sync(); err != nil {
				t.Fatal(err)
			}
			if have, want := disk.size(path), int64(6*(i+1)); have < want {
				t.Fatalf("file %d: %d bytes are on disk, want %d", n, have, want)
			}
		}
		disk.sizes = map[string]int64{}
	}
}
