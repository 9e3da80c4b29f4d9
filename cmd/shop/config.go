package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/shop/fulfilment"
	"github.com/tutti-go/tutti/shop/orderv1"
	"github.com/tutti-go/tutti/store"
)

// config is what the commands are told by flag, environment or file.
type config struct {
	data     string
	database string
	http     string
	admin    string
	bus      bus.Settings
	services []string
	peers    map[string]string
	traffic  float64
	deadline time.Duration
	style    string
	flow     string
	recovery string
	level    string
	json     bool
}

// common adds the flags of all commands that run services.
func (c *config) common(flags *pflag.FlagSet) {
	flags.StringVar(&c.level, "log-level", "info", "log from this `LEVEL` on: debug, info, warn or error")
	flags.BoolVar(&c.json, "json", false, "write JSON instead of text for people")
	c.bus.BindConnection(flags, " and embed none")
	c.bus.BindEmbedded(flags)
	flags.StringVar(&c.database, "database", "", "keep what services store in the PostgreSQL at this `URL` (postgres://user@host/shop), in a schema each, and not in files")
	cli.WantValue(flags, "database")
	c.bus.BindTopics(flags)
	flags.StringVar(&c.recovery, "recover", "", "start although databases and log do not fit: `HOW` is rewind or skip")
	flags.StringVar(&c.flow, "flow", string(fulfilment.ReserveFirst), "have the mediator direct orders in this `ORDER`: reserve-first or pay-first")
	flags.DurationVar(&c.deadline, "deadline", 30*time.Minute, "cancel orders that are not settled in this `TIME`")
}

// serving adds the flags of the shop itself.
func (c *config) serving(flags *pflag.FlagSet) {
	flags.StringVar(&c.data, "data", "data", "keep databases and log in this `DIR`")
	flags.StringVar(&c.http, "http", "127.0.0.1:8080", "serve HTTP at this `ADDRESS`; port 0 takes a free one")
	flags.StringVar(&c.admin, "admin", "", "serve operators (tutti deadletters, jobs, sagas, lag) at this `ADDRESS`, as 127.0.0.1:9090; port 0 takes a free one. "+
		"It asks nobody who they are: keep it on this machine")
	flags.StringSliceVar(&c.services, "services", nil, "run only these services of "+strings.Join(names(), ", "))
	cli.WantValue(flags, "services")
	flags.StringToStringVar(&c.peers, "peer", nil, "pass requests for a service that runs elsewhere on, as `SERVICE=URL,…`")
	flags.StringVar(&c.style, "style", string(orderv1.Choreography), "process orders that name no style by this `STYLE`: choreography or orchestration")
	flags.Float64Var(&c.traffic, "traffic", 3, "place `N` demonstration orders a second; 0 for none. There are products and stock to order in any case")
}

const maxTraffic = 1000 // demonstration orders a second

// validate reports all faults at once, and completes what may be left out.
func (c *config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.data != "", "--data is empty, want a directory")
	if err := checkDatabase(c.database); err != nil {
		errs = append(errs, err)
	}
	check(isAddress(c.http), "--http is %q, want host:port with a port up to 65535", c.http)
	check(c.admin == "" || isAddress(c.admin), "--admin is %q, want host:port with a port up to 65535", c.admin)
	errs = append(errs, c.bus.Check())
	for i, s := range c.services {
		check(slices.Contains(names(), s), "--services has %q, want some of %s", s, strings.Join(names(), ", "))
		check(!slices.Contains(c.services[:i], s), "--services has %s twice", s)
	}
	if len(c.services) == 0 {
		c.services = names()
	}
	for name, text := range c.peers {
		check(slices.Contains(names(), name), "--peer has %q, want one of %s", name, strings.Join(names(), ", "))
		check(!slices.Contains(c.services, name), "--peer has %s, which runs here", name)
		u, err := url.Parse(text)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "--peer has %q for %s, want http://host:port", text, name)
	}
	check(c.traffic >= 0 && c.traffic <= maxTraffic, "--traffic is %v, want 0 to %d", c.traffic, maxTraffic)
	check(isStyle(c.style), "--style is %q, want choreography or orchestration", c.style)
	check(slices.Contains(fulfilment.Flows, fulfilment.Flow(c.flow)), "--flow is %q, want reserve-first or pay-first", c.flow)
	check(c.deadline >= time.Second, "--deadline is %v, want 1s or more", c.deadline)
	r := service.Recovery(c.recovery)
	check(r == service.Refuse || r == service.Rewind || r == service.Skip, "--recover is %q, want rewind or skip", c.recovery)
	if err := new(slog.Level).UnmarshalText([]byte(c.level)); err != nil {
		errs = append(errs, fmt.Errorf("--log-level is %q, want debug, info, warn or error", c.level))
	}
	return errors.Join(errs...)
}

func checkDatabase(dsn string) error {
	u, err := url.Parse(dsn)
	if dsn == "" || err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && strings.HasPrefix(dsn, u.Scheme+"://") && u.Path != "" {
		return nil
	}
	return errors.New("--database is no URL of PostgreSQL, want postgres://user@host:port/database")
}

// databaseOf is where a service or a gateway keeps its data.
func (c *config) databaseOf(name string) string {
	if c.database != "" {
		return store.Schema(c.database, name)
	}
	return "sqlite:" + filepath.Join(c.data, name+".db")
}

func isStyle(s string) bool {
	return s == string(orderv1.Choreography) || s == string(orderv1.Orchestration)
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = net.LookupPort("tcp", cmp.Or(port, "none"))
	return err == nil
}

// logger writes to the screen, without disturbing its live line.
func (c *config) logger(out output) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.level)) // validate has checked it
	opts := &slog.HandlerOptions{Level: level}
	if c.json {
		return slog.New(slog.NewJSONHandler(out.screen, opts))
	}
	return slog.New(slog.NewTextHandler(out.screen, opts))
}
