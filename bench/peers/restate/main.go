// Command restate measures Restate: an order is a call of a handler of four durable
// steps. It starts the server that --server names, on ports and in a directory of
// its own.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	restate "github.com/restatedev/sdk-go"
	"github.com/restatedev/sdk-go/server"

	"github.com/tutti-go/tutti/bench/load"
)

// order is what a call is about.
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

// Orders is the service; Restate calls it by its name.
type Orders struct{}

// Fulfil takes an order through its steps.
func (Orders) Fulfil(ctx restate.Context, o order) (string, error) {
	for _, step := range []string{"reserve", "charge", "ship", "confirm"} {
		if _, err := restate.Run(ctx, func(restate.RunContext) (done, error) { return done{o.ID, step}, nil }, restate.WithName(step)); err != nil {
			return "", err
		}
	}
	return "confirmed", nil
}

func main() {
	program := flag.String("server", "restate-server", "run this `PROGRAM`")
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		b := &bench{client: &http.Client{Timeout: load.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 10_000}}}
		if err := b.start(ctx, *program, s.Dir); err != nil {
			return load.System{}, errors.Join(err, b.close())
		}
		return load.System{Order: b.order, Close: b.close, Process: b.engine.process()}, nil
	})
}

type bench struct {
	client *http.Client
	engine *engine
	stop   context.CancelFunc
	ended  chan error
}

func (b *bench) start(ctx context.Context, program, dir string) error {
	address, err := free()
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop, b.ended = stop, make(chan error, 1)
	go func() {
		b.ended <- server.NewRestate().WithLogger(slog.NewTextHandler(io.Discard, nil), true).
			Bind(restate.Reflect(Orders{})).Start(running, address)
	}()
	if b.engine, err = startEngine(program, dir); err != nil {
		return err
	}
	return b.register(ctx, "http://"+address)
}

// free finds a port that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// register makes the service known, as soon as the server answers.
func (b *bench) register(ctx context.Context, uri string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := b.post(ctx, b.engine.admin+"/deployments", map[string]any{"uri": uri, "force": true})
		if err == nil {
			err = b.order(ctx, "first") // the service is known to the ingress a moment later
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case end := <-b.engine.ended:
			b.engine.ended <- end
			return fmt.Errorf("the server ended: %w: %s", end, b.engine.said())
		case <-ctx.Done():
			return fmt.Errorf("make the service known: %w", err)
		}
	}
}

func (b *bench) order(ctx context.Context, id string) error {
	return b.post(ctx, b.engine.ingress+"/Orders/Fulfil", order{id, "sku-1", 2, 4200, "cust-77"})
}

func (b *bench) post(ctx context.Context, url string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("POST %s: %s: %s", url, res.Status, text)
	}
	return err
}

func (b *bench) close() error {
	var err error
	if b.engine != nil {
		err = b.engine.stop()
	}
	b.stop()
	<-b.ended // which reports that it was stopped
	return err
}
