package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine is where a run took place.
type Machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryGB   float64 `json:"memory_gb"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"file_system"`
	Go         string  `json:"go"`
	Platform   string  `json:"platform"`
	// Load is the machine's at the beginning: above a few tenths, others use it too,
	// and the figures are not to be trusted.
	Load string `json:"load"`
	// FsyncP50 and FsyncP99 are how long it takes to write 4 KiB and sync, in ms.
	FsyncP50 float64 `json:"fsync_p50_ms"`
	FsyncP99 float64 `json:"fsync_p99_ms"`
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GB, %s %s on %s, %s; writing 4 KiB and syncing takes %.2f ms (p99 %.2f ms); load at the beginning %s",
		m.CPU, m.Cores, m.MemoryGB, m.Platform, m.Kernel, m.FileSystem, m.Go, m.FsyncP50, m.FsyncP99, m.Load)
}

// describe describes the machine, with the disk that dir is on. What the system does
// not tell is left empty.
func describe(dir string) (m Machine, err error) {
	m = Machine{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Kernel: line("/proc/sys/kernel/osrelease"),
		FileSystem: fileSystem(dir), Go: runtime.Version(), Platform: platform,
	}
	var kb float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kb); err == nil {
		m.MemoryGB = kb / (1 << 20)
	}
	if loads := strings.Fields(line("/proc/loadavg")); len(loads) > 0 {
		m.Load = loads[0]
	}
	m.FsyncP50, m.FsyncP99, err = fsync(dir)
	return m, err
}

func line(path string) string {
	text, _ := os.ReadFile(path) // other systems have other files
	return strings.TrimSpace(string(text))
}

// field is the first value of a key in a file of lines "key : value".
func field(path, key string) string {
	for l := range strings.Lines(line(path)) {
		if k, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem is the type of the mount that dir is on: the longest that it begins
// with.
func fileSystem(dir string) string {
	longest, kind := "", ""
	for l := range strings.Lines(line("/proc/mounts")) {
		f := strings.Fields(l)
		if len(f) < 3 || len(f[1]) < len(longest) {
			continue
		}
		if rel, err := filepath.Rel(f[1], dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			longest, kind = f[1], f[2]
		}
	}
	return kind
}

// fsync measures the disk.
func fsync(dir string) (p50, p99 float64, err error) {
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const most = 2000
	var took []time.Duration
	page := make([]byte, 4096)
	for begin := time.Now(); len(took) < most && time.Since(begin) < 3*time.Second; {
		at := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	ms := func(percent int) float64 { return float64(took[len(took)*percent/100].Microseconds()) / 1000 }
	return ms(50), ms(99), nil
}

// versions says what ran beside the framework.
func versions(ctx context.Context, postgres string) map[string]string {
	out := map[string]string{"Restate server": restateVersion, "Temporal server": temporalVersion}
	if postgres != "" {
		out["PostgreSQL"] = postgres
	}
	for dir, modules := range map[string][]string{
		".":               {"github.com/twmb/franz-go", "modernc.org/sqlite", "github.com/jackc/pgx/v5"},
		"peers/watermill": {"github.com/ThreeDotsLabs/watermill-sql/v4"},
		"peers/dbos":      {"github.com/dbos-inc/dbos-transact-golang"},
		"peers/river":     {"github.com/riverqueue/river"},
		"peers/restate":   {"github.com/restatedev/sdk-go"},
		"peers/temporal":  {"go.temporal.io/sdk"},
	} {
		cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}, modules...)...)
		cmd.Dir = dir
		list, _ := cmd.Output() // a version that is not known is left out
		for l := range strings.Lines(string(list)) {
			if path, version, ok := strings.Cut(strings.TrimSpace(l), " "); ok {
				out[path] = version
			}
		}
	}
	return out
}
