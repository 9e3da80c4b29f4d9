package load

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what the machine has spent so far. Where /proc is not as Linux has it,
// it is zero.
type usage struct {
	at   time.Time
	busy float64 // seconds of all cores
}

func measure() usage { return usage{at: time.Now(), busy: busy()} }

// busy sums user, nice, system, irq and softirq of the line "cpu" of /proc/stat,
// which counts in hundredths of a second (proc(5)).
func busy() (seconds float64) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := strings.Fields(string(line))
	for _, i := range []int{1, 2, 3, 6, 7} {
		if i < len(fields) {
			ticks, _ := strconv.ParseFloat(fields[i], 64)
			seconds += ticks / 100
		}
	}
	return seconds
}

// Resident is the memory of a process ("self" or its id) that is in RAM, in MB.
func Resident(process string) float64 {
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 64)
			return kb / 1024
		}
	}
	return 0
}
