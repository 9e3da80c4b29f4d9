// Package interop tests that programs which are not built on this framework take part:
// kcat, Java's kafka-clients and Python's confluent-kafka read our events and write
// events to us, in CloudEvents' binary and structured mode.
//
// The clients are installed by .ci/kafka. A test whose client is absent is skipped, and
// fails where CI=true.
package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/kafkatest"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

const patience = time.Minute

// The topics outlast a run on real Kafka, so each test has its own.
var said, heard event.Topic

// Said is what our service publishes.
type Said struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

func (Said) Contract() event.Contract {
	return event.Contract{Type: "interop.said", Version: 1, Topic: said}
}
func (s Said) Key() string { return s.ID }

// Heard is what others publish.
type Heard struct {
	Text string `json:"text"`
}

func (Heard) Contract() event.Contract {
	return event.Contract{Type: "interop.heard", Version: 1, Topic: heard}
}

// parrot publishes on request, and notes what it hears.
func parrot(s *service.Service) {
	s.Migrations(fstest.MapFS{"0001_notes.sql": {Data: []byte("CREATE TABLE notes (msgkey TEXT NOT NULL, text TEXT NOT NULL)")}})
	event.Publishes[Said](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[Heard]) error {
		return tx.Exec(ctx, `INSERT INTO notes (msgkey, text) VALUES ($1, $2)`, m.Key, m.Body.Text)
	})
}

// TestForeignClientsOverKafka lets each client read what a service has published, and write to it.
func TestForeignClientsOverKafka(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			foreign := c.find(t)
			kafkatest.Each(t, func(t *testing.T, addresses []string, _ *kafka.Broker) {
				suffix := kafkatest.Suffix()
				said, heard = event.Topic{Name: "interop.said" + suffix}, event.Topic{Name: "interop.heard" + suffix}
				bus, err := kafka.Connect(t.Context(), kafka.Config{Brokers: addresses, Partitions: 3})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(bus.Close)
				s := start(t, bus, "parrot"+suffix)
				brokers := strings.Join(addresses, ",")
				testTheyRead(t, s, foreign, brokers, "reader"+suffix)
				testTheyWrite(t, s, bus, foreign, brokers, c.name)
			})
		})
	}
}

// start runs the service until the test ends.
func start(t *testing.T, bus *kafka.Bus, name string) *service.Service {
	t.Helper()
	s := service.New(name, bus, service.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "parrot.db")})
	parrot(s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case <-time.After(patience):
		t.Fatal("the service is not ready")
	}
	return s
}

// testTheyRead: our events need nothing of ours to be read.
func testTheyRead(t *testing.T, s *service.Service, foreign client, brokers, group string) {
	const n = 10
	want := map[string]string{}
	for i := range n {
		body := Said{ID: fmt.Sprint("id-", i), Text: fmt.Sprintf("\"naïve\" %d", i)}
		want[body.ID] = body.Text
		if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return event.Publish(ctx, tx, body) }); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]bool{}
	for _, r := range foreign.read(t, brokers, said.Name, group, n) {
		var body Said
		if err := json.Unmarshal([]byte(r.Value), &body); err != nil {
			t.Errorf("value %q: %v", r.Value, err)
		}
		if want[r.Key] == "" || body != (Said{r.Key, want[r.Key]}) {
			t.Errorf("record %+v, want key and body of what was published", r)
		}
		delete(want, r.Key)
		ids[r.header("ce_id")] = true
		for header, value := range map[string]string{
			"ce_specversion": "1.0", "ce_type": "interop.said", "ce_subject": r.Key, "ce_dataversion": "1", "content-type": "application/json",
		} {
			if got := r.header(header); got != value {
				t.Errorf("header %s is %q, want %q", header, got, value)
			}
		}
		if r.header("ce_source") == "" || r.header("lane") == "" || r.header("seq") == "" {
			t.Errorf("headers %v lack source, lane or seq", r.Headers)
		}
		if _, err := time.Parse(time.RFC3339Nano, r.header("ce_time")); err != nil {
			t.Error(err)
		}
	}
	if len(want) > 0 || len(ids) != n || ids[""] {
		t.Errorf("not read: %v; %d different ids, want %d", want, len(ids), n)
	}
}

// binary and structured are the two modes of CloudEvents on Kafka.
func binary(source, id, key, text string) record {
	return record{Key: key, Value: fmt.Sprintf(`{"text":%q}`, text), Headers: [][2]string{
		{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_source", source}, {"ce_type", "interop.heard"}, {"content-type", "application/json"},
	}}
}

func structured(source, id, key, text string) record {
	value := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"interop.heard","datacontenttype":"application/json","data":{"text":%q}}`, id, source, text)
	return record{Key: key, Value: value, Headers: [][2]string{{"content-type", "application/cloudevents+json; charset=UTF-8"}}}
}

// testTheyWrite: what they write is handled once for each source and id, in either mode.
func testTheyWrite(t *testing.T, s *service.Service, bus *kafka.Bus, foreign client, brokers, name string) {
	source := "/" + name
	foreign.write(t, brokers, heard.Name, []record{
		binary(source, "1", "a", "binary"),
		binary(source, "1", "a", "binary"), // sent again
		structured(source, "2", "b", "structured"),
		structured(source, "2", "b", "structured"),
		structured(source, "1", "a", "binary"),     // the same event in the other mode
		binary(source+"/other", "1", "a", "other"), // another event: its source is another
		binary(source, "3", "c", "3"),
		binary(source, "last-a", "a", "last"), binary(source, "last-b", "b", "last"), binary(source, "last-c", "c", "last"),
	})
	// Each key is in order: what comes before its last is handled before it.
	got := map[string]int{}
	for end := time.Now().Add(patience); got["a last"]*got["b last"]*got["c last"] == 0; got = notes(t, s) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: all is handled; handled is %v; status %+v", patience, got, s.Status())
		}
		time.Sleep(10 * time.Millisecond)
	}
	want := map[string]int{"a binary": 1, "a other": 1, "b structured": 1, "c 3": 1, "a last": 1, "b last": 1, "c last": 1}
	if len(got) != len(want) {
		t.Errorf("handled is %v, want %v", got, want)
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%q is handled %d times, want %d: %v", what, got[what], n, got)
		}
	}
	for _, r := range foreign.read(t, brokers, heard.Name, "again"+heard.Name, 10) {
		if want, err := bus.Partition(heard.Name, r.Key); err != nil || r.Partition != want {
			t.Errorf("key %s is in partition %d, want %d, as every client has it (%v)", r.Key, r.Partition, want, err)
		}
	}
}

// notes counts what the service has handled, by key and text.
func notes(t *testing.T, s *service.Service) map[string]int {
	t.Helper()
	rows, err := s.Read().Query(t.Context(), `SELECT msgkey, text FROM notes`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var key, text string
		if err := rows.Scan(&key, &text); err != nil {
			t.Fatal(err)
		}
		out[key+" "+text]++
	}
	return out
}
