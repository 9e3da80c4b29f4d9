package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tutti-go/tutti/bench/load"
)

// replay measures the replay of a month of invoices through the whole shop.
func replay(ctx context.Context, s *suite, w workplace) (result load.Result, err error) {
	shop, err := s.builder.build(ctx, "the-shop")
	if err != nil {
		return result, err
	}
	file := s.invoices
	if file == "" {
		file = filepath.Join(w.dir, "invoices.csv")
		if err := makeInvoices(file, s.month()); err != nil {
			return result, fmt.Errorf("make up invoices: %w", err)
		}
	} else if file, err = filepath.Abs(file); err != nil {
		return result, err
	}
	out, err := child(ctx, w.dir, shop, "replay", "--json", "--log-level", "warn", "--data", filepath.Join(w.dir, "shop"), file)
	if err != nil {
		return result, err
	}
	var sum struct {
		Orders, Returns, Lines int
		Events                 float64
		Seconds                float64
		Latency                struct{ P50, P99 float64 } `json:"latency_ms"`
	}
	if err := json.Unmarshal(out, &sum); err != nil {
		return result, fmt.Errorf("understand the summary %q: %w", out, err)
	}
	invoices := sum.Orders + sum.Returns
	return load.Result{
		Seconds: sum.Seconds, Orders: invoices, PerSecond: float64(invoices) / sum.Seconds, P50: sum.Latency.P50, P99: sum.Latency.P99,
		Notes: map[string]float64{"invoices": float64(invoices), "lines_each": float64(sum.Lines) / float64(max(invoices, 1)), "events_per_s": sum.Events / sum.Seconds},
	}, nil
}

// month is how many invoices are made up.
func (o options) month() int {
	if o.quick {
		return 200
	}
	return 2000
}

// makeInvoices writes invoices like those of a wholesaler of gifts: 1 to 47 lines, of
// 3,000 products and 900 customers. They are the same each time.
func makeInvoices(path string, n int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	fmt.Fprintln(w, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country")
	begin := time.Date(2010, 12, 1, 8, 0, 0, 0, time.UTC)
	for i := range n {
		customer := 12_000 + random.IntN(900)
		at := begin.Add(time.Duration(i) * time.Minute).Format(time.DateTime)
		for range 1 + random.IntN(47) {
			product := random.IntN(3000)
			fmt.Fprintf(w, "%d,%d,GIFT NO %d,%d,%s,%d.%02d,%d,United Kingdom\n",
				536_000+i, 20_000+product, product, 1+random.IntN(12), at, product%20, 1+product%99, customer)
		}
	}
	return w.Flush()
}
