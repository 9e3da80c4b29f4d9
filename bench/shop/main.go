// Command shop measures the whole shop: orders come in by HTTP at a shop that it
// starts, and go through all its services. An order counts once the log says that it
// is confirmed.
package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/tutti-go/tutti/bench/load"
)

func main() {
	program := flag.String("program", "shop", "run the shop's `PROGRAM`")
	style := flag.String("style", "", "have the shop process orders by this `STYLE`; by default by its own")
	idle := flag.Duration("idle", 0, "after the first order, leave the shop alone for this `TIME`, and note its memory")
	load.Main(func(ctx context.Context, s load.Settings) (load.System, error) {
		begin := time.Now()
		d, err := start(ctx, s, *program, *style)
		if err != nil {
			return load.System{}, errors.Join(err, d.close())
		}
		system := load.System{Order: d.order, Close: d.close, Process: d.process(), Notes: map[string]float64{}}
		if err := d.order(ctx, "first"); err != nil {
			return load.System{}, errors.Join(err, d.close())
		}
		system.Notes["first_order_ms"] = load.Milliseconds(time.Since(begin))
		if *idle > 0 {
			select {
			case <-time.After(*idle):
			case <-ctx.Done():
				return load.System{}, errors.Join(ctx.Err(), d.close())
			}
			system.Notes["idle_mb"] = load.Resident(d.process())
		}
		return system, nil
	})
}
