package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
)

// openLog connects to the broker's data in dir, which it may write, or to the
// brokers that cfg names.
func openLog(ctx context.Context, dir string, cfg kafka.Config, log *slog.Logger) (bus *kafka.Bus, done func() error, err error) {
	done = func() error { return nil }
	if len(cfg.Brokers) == 0 {
		path := filepath.Join(dir, brokerDir)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, done, errors.New("the log is not in it: the shop runs on other brokers, which have to be named")
		}
		broker, err := kafka.Embed(kafka.BrokerConfig{Dir: path, Unsynced: true, Logger: log})
		if err != nil {
			return nil, done, err
		}
		done, cfg.Brokers = broker.Close, broker.Addrs()
	}
	cfg.FetchWait, cfg.Logger = 100*time.Millisecond, log
	bus, err = kafka.Connect(ctx, cfg)
	if err != nil {
		return nil, done, errors.Join(err, done())
	}
	stop := done
	return bus, func() error { bus.Close(); return stop() }, nil
}

// patience is how long the log may send nothing before its end is reached.
const patience = 30 * time.Second

// readLog visits all records of the shop's topics, those of a partition in order, up to
// the ends as they are now.
func readLog(ctx context.Context, bus *kafka.Bus, visit func(kafka.Fetched)) error {
	all, err := bus.Topics(ctx)
	if err != nil {
		return err
	}
	var topics []string
	for _, name := range all { // a Kafka may have others' topics too
		if strings.HasPrefix(name, "shop.") {
			topics = append(topics, name)
		}
	}
	bounds, err := bus.Bounds(ctx, "", topics)
	if err != nil {
		return err
	}
	from, left := map[event.Partition]int64{}, map[event.Partition]int64{}
	for p, b := range bounds {
		if b.End > b.Start {
			from[p], left[p] = b.Start, b.End
		}
	}
	if len(left) == 0 {
		return nil
	}
	reader, err := bus.Reader("shop-verify", from)
	if err != nil {
		return err
	}
	defer reader.Kill() // it belongs to no group: there is nothing to leave
	for len(left) > 0 {
		fetched, err := poll(ctx, reader)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		for _, f := range fetched {
			visit(f)
			if next := f.Records[len(f.Records)-1].Offset + 1; next >= left[f.Partition] {
				delete(left, f.Partition)
			}
		}
	}
	return nil
}

func poll(ctx context.Context, reader *kafka.Consumer) ([]kafka.Fetched, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no records for %v before its end", patience))
	defer cancel()
	fetched, err := reader.Poll(ctx, 10_000)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fetched, err
}
