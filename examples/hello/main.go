// Command hello is a service, whole: a request becomes an event, and the event is
// counted.
//
//	go run ./examples/hello
//	curl -X POST http://127.0.0.1:8080/greetings/Ada
//	curl http://127.0.0.1:8080/greetings/Ada
package main

import (
	"context"
	"embed"
	"net/http"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

//go:embed 0001_greetings.sql
var migrations embed.FS

func main() { service.Main("hello", register) }

// greeted says that somebody was greeted.
type greeted struct {
	Name string `json:"name"`
}

func (greeted) Contract() event.Contract {
	return event.Contract{Type: "example.greeted", Version: 1, Topic: event.Topic{Name: "example.greeting"}}
}

func (g greeted) Key() string { return g.Name }

func register(s *service.Service) {
	s.Migrations(migrations)
	event.Publishes[greeted](s)
	event.On(s, count)
	s.Handle("POST /greetings/{name}", func(w http.ResponseWriter, r *http.Request) error {
		return s.Write(r.Context(), func(ctx context.Context, tx *store.Tx) error {
			return event.Publish(ctx, tx, greeted{Name: r.PathValue("name")})
		})
	})
	s.Handle("GET /greetings/{name}", func(w http.ResponseWriter, r *http.Request) error {
		var times int64
		row := s.Read().QueryRow(r.Context(), `SELECT COALESCE(SUM(times), 0) FROM greetings WHERE name = $1`, r.PathValue("name"))
		if err := row.Scan(&times); err != nil {
			return err
		}
		return service.WriteJSON(w, http.StatusOK, map[string]int64{"times": times})
	})
}

func count(ctx context.Context, tx *store.Tx, m event.Message[greeted]) error {
	return tx.Exec(ctx, `INSERT INTO greetings (name, times) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET times = greetings.times + 1`, m.Body.Name)
}
