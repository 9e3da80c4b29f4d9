package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// patiently asks again while a cluster is only busy with itself: it starts, elects
// a leader, or one of its brokers is away. So a service that starts at such a
// moment waits, for Config.Timeout at most, and does not end.
func patiently(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if !passing(err) || !sleep(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

// memory is how long a client may take a topic that is there for unknown: what it was
// told before the topic was made may reach it later than what it was told since, as
// services ask at the same time, and is believed until it is asked for again.
const memory = time.Second

// settled is patiently, and asks again for topics that are not known for a moment. Those
// that were ensured are there: who does not know them, as the leader of one that was just
// made, will.
func (b *Bus) settled(ctx context.Context, topics []string, ask func() error) error {
	patience := memory
	if b.ensured(topics) {
		patience = b.cfg.Timeout
	}
	for begun := time.Now(); ; {
		err := patiently(ctx, ask)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Since(begun) > patience || !sleep(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

// passing reports whether an error ends by itself. Connections that break are among
// them: the brokers have answered before, so what is wrong is not their settings.
func passing(err error) bool {
	for _, e := range []error{
		kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator,
		kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.BrokerNotAvailable, kerr.NotController,
		kerr.ListenerNotFound,                              // of a leader that is starting
		kerr.OffsetNotAvailable,                            // of a leader that is new
		kerr.KafkaStorageError,                             // of a leader whose disk has failed: there will be another
		kerr.RequestTimedOut, kerr.ThrottlingQuotaExceeded, // by the controller, which has too much to do
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var hungUp *kgo.ErrFirstReadEOF
	return errors.As(err, &hungUp) || kgo.IsRetryableBrokerErr(err)
}
