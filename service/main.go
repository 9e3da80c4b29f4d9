package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tutti-go/tutti/internal/bus"
	"github.com/tutti-go/tutti/internal/cli"
	"github.com/tutti-go/tutti/internal/listen"
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
// A program of several services, or with settings of its own, calls [New] and
// [Service.Run] itself.
func Main(name string, register func(*Service)) {
	cli.Main(name, program(name, register))
}

func program(name string, register func(*Service)) cli.Func {
	var set settings
	return cli.Program(name, "Run the service "+name+" and, unless --brokers is given, a Kafka broker.", "TUTTI", set.bind, set.check,
		func(ctx context.Context, _, stderr io.Writer) error { return set.run(ctx, name, register, stderr) })
}

// settings of a program that is one service.
type settings struct {
	bus      bus.Settings
	data     string
	database string
	http     string
	admin    string
	logLevel string
	level    slog.Level
	recovery string
}

func (set *settings) bind(f *cli.Flags) {
	set.bus.BindConnection(f, " and embed none")
	set.bus.BindEmbedded(f)
	set.bus.BindTopics(f)
	f.StringVar(&set.data, "data", "data", "keep database and log in this `DIR`")
	f.StringVar(&set.database, "database", "", "keep the service's data in the PostgreSQL at this `URL` (postgres://user@host/database), and not in a file")
	f.StringVar(&set.http, "http", "127.0.0.1:8080", "serve HTTP at this `ADDRESS`; port 0 takes a free one")
	f.StringVar(&set.admin, "admin", "", "serve operators (tutti deadletters, jobs, lag) at this `ADDRESS`, as 127.0.0.1:9090; port 0 takes a free one. "+
		"It asks nobody who they are: keep it on this machine")
	f.StringVar(&set.logLevel, "log-level", "info", "log from this `LEVEL` on: debug, info, warn or error")
	f.StringVar(&set.recovery, "recover", "", "start although database and log do not fit: `HOW` is rewind or skip")
}

func (set *settings) check() error {
	var errs []error
	if set.data == "" {
		errs = append(errs, errors.New("--data is empty, want a directory"))
	}
	errs = append(errs, set.bus.Check())
	if err := set.level.UnmarshalText([]byte(set.logLevel)); err != nil {
		errs = append(errs, fmt.Errorf("--log-level is %q, want debug, info, warn or error", set.logLevel))
	}
	if r := Recovery(set.recovery); r != Refuse && r != Rewind && r != Skip {
		errs = append(errs, fmt.Errorf("--recover is %q, want rewind or skip", set.recovery))
	}
	return errors.Join(errs...)
}

// run runs the service on its bus, and HTTP in front of it. They end in the
// opposite order: requests under way need the service, and the service the bus.
func (set *settings) run(ctx context.Context, name string, register func(*Service), stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: set.level}))
	opened, err := set.bus.Open(ctx, set.data, log)
	if err != nil {
		return err
	}
	s := New(name, opened.Bus, Config{Database: cmp.Or(set.database, "sqlite:"+filepath.Join(set.data, name+".db")), Recover: Recovery(set.recovery), Logger: log})
	register(s)
	err = set.serve(ctx, s)
	return errors.Join(err, opened.Close())
}

// serve runs the service until ctx ends.
func (set *settings) serve(ctx context.Context, s *Service) error {
	web, err := listen.On(set.http, s.Handler(), s.log)
	if err != nil {
		return err
	}
	said := []any{"http", web.URL(), "data", set.data}
	var private *listen.Server
	if set.admin != "" {
		if private, err = listen.Private(set.admin, s.Admin(), s.log); err != nil {
			return errors.Join(err, web.Close())
		}
		said = append(said, "admin", private.URL())
	}
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRunning()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(running)
		stopServing()
	}()
	go func() {
		select {
		case <-s.Ready():
			s.log.Info("ready", said...)
		case <-serving.Done():
		}
	}()
	const drain = 5 * time.Second // for requests; what the service has under way has Config.Drain
	administered := make(chan error, 1)
	go func() {
		if private != nil {
			err := private.Run(serving, drain)
			stopServing()
			administered <- err
			return
		}
		administered <- nil
	}()
	err = web.Run(serving, drain)
	stopServing()
	err = errors.Join(err, <-administered)
	stopRunning()
	return errors.Join(err, <-ended)
}
