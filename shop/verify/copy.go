package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tutti-go/tutti/internal/lock"
)

const brokerDir = "broker"

// copyShop copies databases and log of a shop that is not running to a temporary
// directory, which the caller removes.
func copyShop(ctx context.Context, cfg Config) (string, error) {
	dir := cfg.Dir
	if cfg.Database != "" && len(cfg.Kafka.Brokers) > 0 {
		return os.MkdirTemp("", "shop-verify-*") // nothing of it is in files
	}
	dbs, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.db"))
	if err != nil {
		return "", err
	}
	if len(dbs) == 0 && cfg.Database == "" {
		if _, err := os.Stat(dir); err != nil {
			return "", err
		}
		return "", fmt.Errorf("%s has no databases: is it a shop's data directory?", dir)
	}
	locks := []string{filepath.Join(dir, brokerDir, "broker.lock")}
	for _, db := range dbs {
		locks = append(locks, db+".lock")
	}
	release, err := hold(locks)
	if errors.Is(err, lock.ErrHeld) {
		return "", fmt.Errorf("the shop is running: %w", err)
	}
	if err != nil {
		return "", err
	}
	to, err := os.MkdirTemp("", "shop-verify-*")
	if err == nil {
		err = copyFiles(ctx, dbs, dir, to)
	}
	if err = errors.Join(err, release()); err != nil {
		return "", errors.Join(fmt.Errorf("copy %s: %w", dir, err), os.RemoveAll(to))
	}
	return to, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

// hold takes the locks that a running shop has. It makes none: where there is no
// file, nothing has ever run. What cannot be written cannot be locked, and nothing
// that runs can write it either.
func hold(paths []string) (release func() error, err error) {
	var held []func() error
	release = func() error {
		var errs []error
		for _, r := range held {
			errs = append(errs, r())
		}
		return errors.Join(errs...)
	}
	for _, path := range paths {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		r, err := lock.File(path)
		if errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, release())
		}
		held = append(held, r)
	}
	return release, nil
}

// copyFiles copies databases with their write-ahead logs, and the broker's directory in
// dir. Any of it may be a link, to where there is more room. An index of a write-ahead
// log (-shm) is made anew from the log.
func copyFiles(ctx context.Context, dbs []string, dir, to string) error {
	for _, db := range dbs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyDatabase(db, filepath.Join(to, filepath.Base(db))); err != nil {
			return err
		}
	}
	broker, err := filepath.EvalSymlinks(filepath.Join(dir, brokerDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return copyBroker(ctx, broker, filepath.Join(to, brokerDir))
}

// copyDatabase copies a database with its write-ahead log, which is beside the file itself
// and not beside a link to it.
func copyDatabase(from, to string) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	if info, err := os.Stat(from); err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := copyFile(from, to); err != nil {
		return err
	}
	if err := copyFile(from+"-wal", to+"-wal"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func copyBroker(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular(), strings.HasSuffix(rel, ".lock"):
			return nil
		}
		return copyFile(path, filepath.Join(to, rel))
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
