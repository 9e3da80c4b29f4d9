package tuttitest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/kafka"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

func put(t *testing.T, c *http.Client, id string) error {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, "http://order/orders/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("PUT %s: %s", id, res.Status)
	}
	return nil
}

func startAll(w *tuttitest.World) {
	w.Start("order", order)
	w.Start("payment", payment)
	w.Start("mail", mail)
}

func TestFlow(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		startAll(w)
		if err := put(w.T(), w.HTTP("order"), "o1"); err != nil {
			t.Fatal(err)
		}
		w.Expect(Placed{"o1", 200}, Paid{"o1", 200}, Ended{"o1", true})
		w.ExpectRows("mail", `SELECT id, times FROM mails`, "o1|1")
		w.ExpectNoMore()
		if got := w.Query("payment", `SELECT id, amount FROM payments WHERE amount > $1`, 5); len(got) != 1 || got[0] != "o1|200" {
			t.Errorf("Query() = %q, want one row o1|200", got)
		}
	})
}

func TestOutage(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		begin := time.Now()
		w.Start("payment", payment)
		w.Crash("payment")
		w.Publish(Placed{"o1", 100})
		w.Sleep(30 * time.Minute)
		w.Start("payment", payment)
		w.Expect(Paid{"o1", 100})
		w.Publish(Placed{"shy", 300}) // the first attempt fails
		w.Expect(Paid{"shy", 300})
		w.ExpectNoMore()
		if d := time.Since(begin); d < 30*time.Minute || d > 40*time.Minute {
			t.Errorf("the test took %v of virtual time, want a bit over 30 minutes", d)
		}
	})
}

func TestTimer(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order)
		if err := put(w.T(), w.HTTP("order"), "o1"); err != nil {
			t.Fatal(err)
		}
		w.Quiet()
		w.ExpectRows("order", `SELECT status FROM orders`, "placed")
		w.Stop("order")
		w.Sleep(time.Hour)
		w.Restart("order")
		w.Expect(Placed{"o1", 200}, Ended{"o1", false})
	})
}

func TestCutOff(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		startAll(w)
		w.Cut("order")
		for n := range 5 {
			if err := put(w.T(), w.HTTP("order"), fmt.Sprint("o", n)); err != nil {
				t.Fatalf("an order while Kafka is away: %v", err)
			}
		}
		w.Sleep(10 * time.Minute)
		if got := w.Events(); len(got) != 0 {
			t.Errorf("Events() of a service that is cut off = %v, want none", got)
		}
		w.Heal("order")
		w.Quiet()
		w.ExpectRows("mail", `SELECT COUNT(*), SUM(times) FROM mails`, "5|5")
	})
}

func TestRequestsToAServiceThatIsDown(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("order", order)
		client := w.HTTP("order")
		w.Crash("order")
		if err := put(w.T(), client, "o1"); err == nil {
			t.Error("a request to a crashed service succeeded")
		}
		w.Restart("order")
		if err := put(w.T(), client, "o1"); err != nil {
			t.Error(err)
		}
		w.CrashAt("order", service.AfterCommit)
		if err := put(w.T(), client, "o2"); err == nil {
			t.Error("a request was answered by a service that crashed before it could")
		}
		if err := w.AwaitEnd("order"); !errors.Is(err, service.ErrCrash) {
			t.Errorf("AwaitEnd() = %v, want ErrCrash", err)
		}
		w.Restart("order")
		w.Expect(Placed{"o1", 200}, Placed{"o2", 200})
	})
}

func TestForeignAndMalformed(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		w.Start("payment", payment)
		w.PublishForeign(Placed{"o1", 10})
		w.Expect(Paid{"o1", 10})
		structured := event.Record{
			Key:     []byte("o2"),
			Headers: []event.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}},
			Value: []byte(`{"specversion":"1.0","id":"7","source":"/java","type":"tiny.order.placed","subject":"o2",
				"data":{"amount":20,"id":"o2"}}`),
		}
		w.Produce(orders, structured)
		w.Produce(orders, structured)
		w.Produce(orders, event.Record{Key: []byte("o3"), Value: []byte("no event")})
		w.Publish(Placed{"o4", 40})
		w.Expect(Paid{"o2", 20}, Paid{"o4", 40})
		w.ExpectNoMore()
		w.ExpectRows("payment", `SELECT state, COUNT(*) FROM tutti_parked GROUP BY state`, "dead|1")
	})
}

func TestTwoInstances(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		shared := service.Config{Shared: true}
		w.Start("payment", payment, shared)
		w.Start("payment.b", payment, shared)
		place := func(from, to int) {
			for n := from; n < to; n++ {
				w.Publish(Placed{fmt.Sprint("o", n), 1})
			}
		}
		w.Sleep(10 * time.Second) // until they have shared the partitions out
		place(0, 10)
		w.Quiet()
		if one, two := w.Service("payment").Status().Handled, w.Service("payment.b").Status().Handled; one == 0 || two == 0 {
			t.Errorf("two instances handled %d and %d records, want both to take part", one, two)
		}
		w.Crash("payment")
		place(10, 20)
		w.Sleep(2 * time.Minute) // until Kafka gives up on the dead one
		w.Quiet()
		w.ExpectRows("payment.b", `SELECT COUNT(*), SUM(times) FROM payments`, "20|20")
		w.Restart("payment")
		place(20, 30)
		w.Quiet()
		w.ExpectRows("payment", `SELECT COUNT(*), SUM(times) FROM payments`, "30|30")
	})
}

// TestZombie holds back what a service sends for so long that Kafka takes it for
// dead.
func TestZombie(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		startAll(w)
		w.Delay("payment", 50*time.Second)
		if err := put(w.T(), w.HTTP("order"), "o1"); err != nil {
			t.Fatal(err)
		}
		w.Sleep(5 * time.Minute)
		w.Delay("payment", 0)
		w.Expect(Placed{"o1", 200}, Paid{"o1", 200}, Ended{"o1", true})
		w.ExpectNoMore()
	})
}

func TestFaultsOneByOne(t *testing.T) {
	for _, kind := range tuttitest.AllFaults {
		t.Run(string(kind), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) { simulate(w, tuttitest.Chaos{Kinds: []tuttitest.Fault{kind}, Faults: 12}) })
		})
	}
}

// What the test publishes is in the log, whatever the broker has refused before.
func TestPublishWhileRefused(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		startAll(w)
		for i, fault := range []kafka.SendFault{kafka.Busy, kafka.Unanswered, kafka.Invalid, kafka.TooLarge, kafka.Forbidden} {
			w.Broker().FailSends(orders.Name, fault, 12)
			w.Publish(Placed{fmt.Sprint("o", i), 100})
		}
		w.Quiet()
		w.ExpectRows("payment", `SELECT COUNT(*), SUM(times) FROM payments`, "5|5")
	})
}

func TestSimulation(t *testing.T) {
	tuttitest.Seeds(t, 20, func(w *tuttitest.World) { simulate(w, tuttitest.Chaos{}) })
}

// simulate places orders while things break, and checks that each order had its
// effects once.
func simulate(w *tuttitest.World, c tuttitest.Chaos) {
	t := w.T()
	startAll(w)
	w.Chaos(c)
	const n = 10
	for i := range n {
		for put(t, w.HTTP("order"), fmt.Sprint("o", i)) != nil {
			w.Sleep(500 * time.Millisecond)
		}
		w.Sleep(time.Duration(w.Rand().Int64N(int64(3 * time.Second))))
	}
	w.Quiet()
	w.ExpectRows("order", `SELECT status, COUNT(*) FROM orders GROUP BY status`, "paid|10")
	w.ExpectRows("payment", `SELECT COUNT(*), SUM(times), SUM(amount) FROM payments`, "10|10|2000")
	w.ExpectRows("mail", `SELECT COUNT(*), SUM(times) FROM mails`, "10|10")
	seen := map[string]int{}
	for _, e := range w.Events() {
		seen[e.Type]++
	}
	if len(seen) != 3 || seen["tiny.order.placed"] != n || seen["tiny.payment.paid"] != n || seen["tiny.order.ended"] != n {
		t.Errorf("events in the log = %v, want %d of each", seen, n)
	}
}
