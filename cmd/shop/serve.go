package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/internal/listen"
	"github.com/tutti-go/tutti/service"
)

func serveCommand(out output) *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use:   "shop",
		Short: "Run the reference shop: services that process orders by events",
		Long: `Run the reference shop: services that process orders by events, with a broker of
their own, until Ctrl-C. Stopped and started again, they go on where they were.

By choreography the services follow each other's events, by orchestration the commands
of a mediator, the service fulfilment. --style is for orders that name none: both kinds
go side by side.

Each flag can also be given by the environment (SHOP_LOG_LEVEL for --log-level) or
in a file of lines "log-level = debug" (--config).`,
		Example: `  shop                                        everything, at http://127.0.0.1:8080
  shop --traffic 0 --http 127.0.0.1:0         products to order, but no demonstration orders; any free port
  shop --style orchestration                  orders are directed by the mediator
  shop --services order --brokers host:9092   one service, on a broker that runs elsewhere`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.validate(); err != nil {
				return cli.Usage(cmd, err)
			}
			return serve(cmd.Context(), cfg, out)
		},
	}
	cfg.common(cmd.Flags())
	cfg.serving(cmd.Flags())
	return cmd
}

const drain = 5 * time.Second // for requests under way at the end

// serve runs the shop until ctx ends.
func serve(ctx context.Context, cfg config, out output) (err error) {
	log := cfg.logger(out)
	var opened atomic.Pointer[routes]
	web, err := listen.On(cfg.http, http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		opened.Load().ServeHTTP(w, r)
	}), service.MaxBody), log)
	if err != nil {
		return err
	}
	serving, stopServing := context.WithCancel(ctx) // from now on: who asks is told that it is starting
	defer stopServing()
	served := make(chan error, 1)
	go func() { served <- web.Run(serving, drain) }()
	s, err := open(ctx, cfg, log)
	if err != nil {
		stopServing()
		if err = errors.Join(err, <-served); ctx.Err() != nil {
			log.Info("stopped before it had started", "error", err)
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	opened.Store(s.routes)
	private, err := s.private()
	if err != nil {
		stopServing()
		return errors.Join(err, <-served)
	}
	err = s.run(ctx, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		defer context.AfterFunc(ctx, stopServing)()
		group.Go(func() error { return <-served })
		admin := ""
		if private != nil {
			admin = private.URL()
			group.Go(func() error { return private.Run(ctx, drain) })
		}
		group.Go(func() error {
			if s.ready(ctx) != nil {
				return nil // stopped before
			}
			s.announce(out, web.URL(), admin)
			group.Go(func() error { newTraffic(web.URL(), cfg, log).run(ctx); return nil })
			if out.screen.terminal {
				group.Go(func() error { return s.summarize(ctx, out.screen) })
			}
			return nil
		})
		return group.Wait()
	})
	out.screen.live("")
	if err == nil {
		log.Info("stopped; all that was accepted is stored")
	}
	return err
}

// private starts to listen where operators ask, if they may: nil otherwise.
func (s *shop) private() (*listen.Server, error) {
	if s.cfg.admin == "" {
		return nil, nil
	}
	return listen.Private(s.cfg.admin, service.AdminOf(s.services...), s.log)
}

// announce prints where things are.
func (s *shop) announce(out output, base, admin string) {
	if s.cfg.json {
		_ = json.NewEncoder(out.stdout).Encode(struct { // as good as any print
			HTTP     string   `json:"http"`
			Admin    string   `json:"admin,omitempty"`
			Brokers  []string `json:"brokers"`
			Data     string   `json:"data"`
			Services []string `json:"services"`
		}{base, admin, s.bus.Brokers, s.cfg.data, s.cfg.services})
		return
	}
	broker := "embedded"
	if !s.bus.Embedded() {
		broker = "external"
	}
	fmt.Fprintf(out.stdout, "Running %s.\n", strings.Join(s.cfg.services, ", "))
	fmt.Fprintf(out.stdout, "  shop    %s\n", base)
	fmt.Fprintf(out.stdout, "  broker  %s (%s)\n", strings.Join(s.bus.Brokers, ", "), broker)
	if admin != "" {
		fmt.Fprintf(out.stdout, "  admin   %s (for tutti --admin)\n", admin)
	}
	fmt.Fprintf(out.stdout, "  data    %s\n", s.cfg.data)
	fmt.Fprintln(out.stdout, "Ctrl-C stops it.")
}
