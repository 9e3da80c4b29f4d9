package main

import (
	"context"
	"embed"
	"fmt"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

//go:embed 0001_scores.sql
var creditTables embed.FS

// credit knows how creditworthy people are. Who is unknown has a score of 700.
func credit(s *service.Service) {
	s.Migrations(creditTables)
	event.Publishes[creditGood](s)
	event.Publishes[creditPoor](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[checkCredit]) error {
		var score int64
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(score), 700) FROM scores WHERE applicant = $1`, m.Body.Applicant).Scan(&score); err != nil {
			return err
		}
		if score < 600 {
			return event.Publish(ctx, tx, creditPoor{m.Body.about, score})
		}
		return event.Publish(ctx, tx, creditGood{m.Body.about, score})
	})
}

//go:embed 0001_seen.sql
var fraudTables embed.FS

// fraud suspects people who apply again and again.
func fraud(s *service.Service) {
	s.Migrations(fraudTables)
	event.Publishes[fraudUnlikely](s)
	event.Publishes[fraudSuspected](s)
	event.On(s, func(ctx context.Context, tx *store.Tx, m event.Message[checkFraud]) error {
		err := tx.Exec(ctx, `INSERT INTO seen (application, applicant) VALUES ($1, $2) ON CONFLICT (application) DO NOTHING`,
			m.Body.Application, m.Body.Applicant)
		if err != nil {
			return err
		}
		var times int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM seen WHERE applicant = $1`, m.Body.Applicant).Scan(&times); err != nil {
			return err
		}
		if times > 3 {
			return event.Publish(ctx, tx, fraudSuspected{m.Body.about, fmt.Sprintf("application %d of %s", times, m.Body.Applicant)})
		}
		return event.Publish(ctx, tx, fraudUnlikely{m.Body.about})
	})
}
