package main

import (
	"context"
	"embed"
	"errors"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

//go:embed 0001_rentals.sql
var carTables embed.FS

// cars rents cars of companies that take their time to answer.
func cars(s *service.Service) {
	s.Migrations(carTables)
	event.Publishes[carRented](s)
	event.Publishes[carReturned](s)
	event.On(s, rent)
	job.OnDue(s, answered)
	event.On(s, giveBack)
}

// answer is due when a company answers.
type answer about

func (answer) JobType() string { return "cars.answer" }

// rent asks a company. Who asks twice waits for the same answer.
func rent(ctx context.Context, tx *store.Tx, m event.Message[rentCar]) error {
	if err := tx.Exec(ctx, `INSERT INTO rentals (trip, company) VALUES ($1, $2) ON CONFLICT (trip) DO NOTHING`, m.Body.Trip, m.Body.Company); err != nil {
		return err
	}
	due := tx.Now()
	if m.Body.Company == "Sleepy" {
		due = due.Add(time.Hour)
	}
	return job.At(ctx, tx, due, m.Body.Trip, answer(m.Body.about))
}

func answered(ctx context.Context, tx *store.Tx, d job.Due[answer]) error {
	return event.Publish(ctx, tx, carRented{about(d.Args)})
}

// giveBack takes back what was rented, or asked for: there may be nothing.
func giveBack(ctx context.Context, tx *store.Tx, m event.Message[returnCar]) error {
	_, err := job.Cancel[answer](ctx, tx, m.Body.Trip)
	return errors.Join(err,
		tx.Exec(ctx, `DELETE FROM rentals WHERE trip = $1`, m.Body.Trip),
		event.Publish(ctx, tx, carReturned{m.Body.about}))
}
