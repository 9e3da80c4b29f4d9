// Command temporal measures Temporal on PostgreSQL: an order is a workflow of four
// activities. It starts the server that --server names, on ports of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"

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

func reserve(_ context.Context, o order) (done, error) { return done{o.ID, "reserve"}, nil }
func charge(_ context.Context, o order) (done, error)  { return done{o.ID, "charge"}, nil }
func ship(_ context.Context, o order) (done, error)    { return done{o.ID, "ship"}, nil }
func confirm(_ context.Context, o order) (done, error) { return done{o.ID, "confirm"}, nil }

var steps = []any{reserve, charge, ship, confirm}

// byActivities is the workflow of which each step is scheduled by the server.
func byActivities(ctx workflow.Context, o order) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
	})
	return fulfil(ctx, o, workflow.ExecuteActivity)
}

// byLocalActivities is the workflow of which each step runs where the workflow does,
// and is stored with it.
func byLocalActivities(ctx workflow.Context, o order) (string, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: 10 * time.Second})
	return fulfil(ctx, o, workflow.ExecuteLocalActivity)
}

func fulfil(ctx workflow.Context, o order, execute func(workflow.Context, any, ...any) workflow.Future) (string, error) {
	for _, step := range steps {
		var d done
		if err := execute(ctx, step, o).Get(ctx, &d); err != nil {
			return "", err
		}
	}
	return "confirmed", nil
}

func main() {
	program := flag.String("server", "temporal-server", "run this `PROGRAM`")
	tool := flag.String("sql-tool", "temporal-sql-tool", "make the tables with this `PROGRAM`")
	local := flag.Bool("local", false, "run the steps as local activities")
	pollers := flag.Int("pollers", 8, "ask for tasks `N` times at once")
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		b := &bench{workflow: byActivities}
		if *local {
			b.workflow = byLocalActivities
		}
		if err := b.start(ctx, s, *program, *tool, *pollers); err != nil {
			return load.System{}, errors.Join(err, b.close())
		}
		return load.System{Order: b.order, Close: b.close, Process: b.server.process()}, nil
	})
}

type bench struct {
	workflow func(workflow.Context, order) (string, error)
	tables   *tables
	server   *server
	client   client.Client
	worker   worker.Worker
}

const queue = "orders"

func (b *bench) start(ctx context.Context, s load.Settings, program, tool string, pollers int) (err error) {
	if b.tables, err = makeTables(ctx, tool, s.Database); err != nil {
		return err
	}
	if b.server, err = startServer(program, s.Dir, b.tables); err != nil {
		return err
	}
	if err := b.register(ctx); err != nil {
		return err
	}
	if b.client, err = client.Dial(b.options()); err != nil {
		return err
	}
	b.worker = worker.New(b.client, queue, worker.Options{
		MaxConcurrentWorkflowTaskPollers: pollers, MaxConcurrentActivityTaskPollers: pollers,
		MaxConcurrentWorkflowTaskExecutionSize: 1000, MaxConcurrentActivityExecutionSize: 1000,
	})
	b.worker.RegisterWorkflow(byActivities)
	b.worker.RegisterWorkflow(byLocalActivities)
	for _, step := range steps {
		b.worker.RegisterActivity(step)
	}
	if err := b.worker.Start(); err != nil {
		b.worker = nil
		return err
	}
	// A namespace is known to all parts of the server some seconds after it is made.
	return b.until(ctx, "run a first workflow", func(ctx context.Context) error {
		return b.order(ctx, fmt.Sprintf("first-%d", time.Now().UnixNano()))
	})
}

func (b *bench) options() client.Options {
	return client.Options{HostPort: b.server.frontend, Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}
}

// register makes the namespace, as soon as the server answers.
func (b *bench) register(ctx context.Context) error {
	return b.until(ctx, "make the namespace", func(ctx context.Context) error {
		c, err := client.NewNamespaceClient(b.options())
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Register(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: "default", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		})
	})
}

// until tries until it succeeds, the server ends, or two minutes have passed.
func (b *bench) until(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := try(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case end := <-b.server.ended:
			b.server.ended <- end
			return fmt.Errorf("the server ended: %w: %s", end, b.server.said())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

func (b *bench) order(ctx context.Context, id string) error {
	run, err := b.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, b.workflow, order{id, "sku-1", 2, 4200, "cust-77"})
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

func (b *bench) close() error {
	if b.worker != nil {
		b.worker.Stop()
	}
	if b.client != nil {
		b.client.Close()
	}
	var err error
	if b.server != nil {
		err = b.server.stop()
	}
	if b.tables != nil {
		err = errors.Join(err, b.tables.drop())
	}
	return err
}
