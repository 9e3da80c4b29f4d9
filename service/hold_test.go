package service_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
)

// Records that a service has no handler for cost it no transaction each; where it
// stands is stored all the same, soon, and when it stops.
func TestUnwantedRecordsWait(t *testing.T) {
	t.Parallel()
	bus, dir := cluster(t), t.TempDir()
	unwanted := func(i int) event.Record {
		return event.Encode(event.Envelope{ID: strconv.Itoa(i), Source: "/foreign", Type: "test.unknown", Version: 1, Key: "k"}, []byte("{}"))
	}
	s, stop := start(t, bus, "echo", dir, service.Config{}, echo)
	before, begin := s.Status().Transactions, time.Now()
	const records = 30
	for i := range records {
		produce(t, bus, madeTopic, unwanted(i))
		time.Sleep(10 * time.Millisecond) // in fetches of their own
	}
	eventually(t, s, "all are passed over", func() bool { return s.Status().Unknown == records })
	if n, most := s.Status().Transactions-before, int64(time.Since(begin)/time.Second)+1; n > most {
		t.Errorf("%d transactions for %d records that nobody wants, want at most %d", n, records, most)
	}
	produce(t, bus, madeTopic, unwanted(records))
	eventually(t, s, "the last is fetched", func() bool { lag := s.Status().Lag; return len(lag) == 1 && lag[0].End == records+1 })
	time.Sleep(200 * time.Millisecond) // and handed to the loop, which nothing shows
	stop()
	again, _ := start(t, bus, "echo", dir, service.Config{}, echo)
	produce(t, bus, madeTopic, made("ok", 1))
	eventually(t, again, "it goes on", func() bool { return again.Status().Handled == 1 })
	if n := again.Status().Unknown; n != 0 {
		t.Errorf("%d records were read again after a stop, want 0", n)
	}
}
