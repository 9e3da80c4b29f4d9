package service

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/internal/cli"
)

// Main is the main function of a program that is one service: it runs the service
// until SIGINT or SIGTERM, serves its routes, and exits with 0, with 1 if the
// service failed, or with 2 if the program was called wrongly. register binds the
// service's handlers.
//
// Settings are flags, or variables TUTTI_FLAG_NAME, or lines of the file that
// --config names:
//
//	--brokers ADDRESSES   the Kafka cluster, as host:port,…; without it, a broker is embedded
//	--tls…, --sasl…       how to get into it
//	--partitions N, …     how the topics that it creates are laid out
//	--broker-port PORT    where an embedded broker listens; 0 takes a free port (0)
//	--data DIR            where database and embedded broker keep their data (data)
//	--database URL        a PostgreSQL for the service's data, in a schema of its name, and not a file
//	--http ADDRESS        where to serve HTTP, as host:port (127.0.0.1:8080)
//	--admin ADDRESS       where to serve operators, as host:port; off without it: see [AdminOf]
//	--log-level LEVEL     debug, info, warn or error (info)
//	--recover HOW         rewind or skip: see [Recovery]; for one start, after a refusal
//
// --help lists all of them.
//
// A program of several services, or with settings of its own, is a [Program].
func Main(name string, register func(*Service)) {
	Program{Name: name, Services: []Member{{name, register}}}.Main()
}

// settings of a program.
type settings struct {
	bus      bus.Settings
	data     string
	database string
	http     string
	admin    string
	services []string
	logLevel string
	level    slog.Level
	recovery string
}

func (set *settings) bind(f *cli.Flags, p *Program) {
	set.bus.BindConnection(f, " and embed none")
	set.bus.BindEmbedded(f)
	set.bus.BindTopics(f)
	data, address, level := "data", "127.0.0.1:8080", "info"
	if p.Demo != nil {
		data, address, level = "", "127.0.0.1:0", "warn"
	}
	without := ""
	if p.Demo != nil {
		without = " (default: a temporary one)"
	}
	f.StringVar(&set.data, "data", data, "keep database and log in this `DIR`"+without)
	f.StringVar(&set.database, "database", "", "keep the service's data in the PostgreSQL at this `URL` (postgres://user@host/database), and not in a file")
	f.StringVar(&set.http, "http", address, "serve HTTP at this `ADDRESS`; port 0 takes a free one")
	f.StringVar(&set.admin, "admin", "", "serve operators (tutti deadletters, jobs, sagas, lag) at this `ADDRESS`, as 127.0.0.1:9090; port 0 takes a free one. "+
		"It asks nobody who they are: keep it on this machine")
	if len(p.Services) > 1 {
		f.StringSliceVar(&set.services, "services", nil, "run only these `SERVICES` of "+strings.Join(p.names(), ", "))
		cli.WantValue(f, "services")
	}
	cli.WantValue(f, "database")
	f.StringVar(&set.logLevel, "log-level", level, "log from this `LEVEL` on: debug, info, warn or error")
	f.StringVar(&set.recovery, "recover", "", "start although database and log do not fit: `HOW` is rewind or skip")
	if p.Flags != nil {
		f.AddGoFlagSet(p.Flags)
	}
}

func (set *settings) check(p *Program) error {
	var errs []error
	if set.data == "" && (p.Demo == nil || len(set.services) > 0) {
		errs = append(errs, errors.New("--data is empty, want a directory"))
	}
	errs = append(errs, set.bus.Check())
	for _, name := range set.services {
		if !slices.Contains(p.names(), name) {
			errs = append(errs, fmt.Errorf("--services has %q, want some of %s", name, strings.Join(p.names(), ", ")))
		}
	}
	if err := set.level.UnmarshalText([]byte(set.logLevel)); err != nil {
		errs = append(errs, fmt.Errorf("--log-level is %q, want debug, info, warn or error", set.logLevel))
	}
	if r := Recovery(set.recovery); r != Refuse && r != Rewind && r != Skip {
		errs = append(errs, fmt.Errorf("--recover is %q, want rewind or skip", set.recovery))
	}
	return errors.Join(errs...)
}
