// Command dbos measures DBOS Transact on PostgreSQL: an order is a workflow of four
// steps, whose results DBOS stores.
package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"github.com/tutti-go/tutti/bench/load"
)

// order is what a workflow is about.
type order struct {
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"`
	Customer string `json:"customer"`
}

// done is the result of a step.
type done struct {
	ID   string `json:"id"`
	Step string `json:"step"`
}

// fulfil is the workflow.
func fulfil(ctx dbos.Context, o order) (string, error) {
	for _, step := range []string{"reserve", "charge", "ship", "confirm"} {
		if _, err := dbos.RunAsStep(ctx, func(context.Context) (done, error) { return done{o.ID, step}, nil }, dbos.WithStepName(step)); err != nil {
			return "", err
		}
	}
	return "confirmed", nil
}

func main() {
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		app, err := dbos.NewContext(context.WithoutCancel(ctx), dbos.Config{
			AppName: "bench", DatabaseURL: s.Database, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			return load.System{}, err
		}
		dbos.RegisterWorkflow(app, fulfil)
		if err := dbos.Launch(app); err != nil {
			return load.System{}, err
		}
		order := func(_ context.Context, id string) error {
			workflow, err := dbos.RunWorkflow(app, fulfil, order{id, "sku-1", 2, 4200, "cust-77"}, dbos.WithWorkflowID(id))
			if err != nil {
				return err
			}
			_, err = workflow.GetResult()
			return err
		}
		return load.System{Order: order, Close: func() error { dbos.Shutdown(app, 5*time.Second); return nil }}, nil
	})
}
