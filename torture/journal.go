package main

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
)

// journal is the orders that the shop has acknowledged, kept apart from all that is
// harmed: in memory, and in a file for whoever looks into a failure.
type journal struct {
	mu     sync.Mutex
	totals map[string]int64 // in pence, by order
	file   *os.File
	out    *bufio.Writer
}

func openJournal(path string) (*journal, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("make journal: %w", err)
	}
	return &journal{totals: map[string]int64{}, file: f, out: bufio.NewWriter(f)}, nil
}

// add notes an acknowledged order.
func (j *journal) add(id string, total int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.totals[id] = total
	if _, err := fmt.Fprintf(j.out, "%s %d\n", id, total); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

func (j *journal) len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.totals)
}

// all is a copy.
func (j *journal) all() map[string]int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.totals)
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.out.Flush(), j.file.Close())
}
