package tuttitest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/tutti-go/tutti/store"
)

// tempDir makes a directory for databases that is removed after the test: in
// memory where the system has such a place, because worlds are made by the hundred.
func tempDir(t *testing.T) string {
	t.Helper()
	const memory = "/dev/shm" // Linux
	if info, err := os.Stat(memory); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "tuttitest-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// blanks are new databases with the framework's tables, by owner: a copy is made
// faster than the tables.
var blanks = struct {
	sync.Mutex
	files map[string][]byte
}{files: map[string][]byte{}}

// blank makes a new database for an owner at path, unless there is one.
func blank(path, owner string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	blanks.Lock()
	file := blanks.files[owner]
	blanks.Unlock()
	if file != nil {
		return os.WriteFile(path, file, 0o600)
	}
	db, err := store.Open(context.Background(), path, store.Config{Owner: owner, Unsynced: true})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil { // and its log with it
		return err
	}
	if file, err = os.ReadFile(path); err != nil {
		return err
	}
	blanks.Lock()
	defer blanks.Unlock()
	blanks.files[owner] = file
	return nil
}
