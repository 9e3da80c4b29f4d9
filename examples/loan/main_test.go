package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

const day = 24 * time.Hour

// open starts all services, with the deadline of life. cfg is that of loans.
func open(w *tuttitest.World, cfg service.Config) {
	w.Start("loans", func(s *service.Service) { loans(s, month) }, cfg)
	w.Start("credit", credit)
	w.Start("fraud", fraud)
}

// post sends a request to loans, and returns the status of the answer; 0: there is none.
func post(w *tuttitest.World, path, body string) int {
	resp, err := w.HTTP("loans").Post("http://loans/applications"+path, "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func apply(w *tuttitest.World, id, applicant string, amount int) int {
	return post(w, "", fmt.Sprintf(`{"id": %q, "applicant": %q, "amount": %d}`, id, applicant, amount))
}

func decide(w *tuttitest.World, id, choice string) int {
	return post(w, "/"+id+"/decision", fmt.Sprintf(`{"choice": %q, "by": "Grace", "note": "so be it"}`, choice))
}

func expectStatus(w *tuttitest.World, what string, got, want int) {
	w.T().Helper()
	if got != want {
		w.T().Errorf("%s is answered with %d, want %d", what, got, want)
	}
}

// expect waits until applications stand as they should.
func expect(w *tuttitest.World, want ...string) {
	w.T().Helper()
	w.ExpectRows("loans", `SELECT id, status, why FROM applications ORDER BY id`, want...)
	w.Quiet()
}

func TestDecisions(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		open(w, service.Config{})
		for n := range 5 { // the fourth is one too many
			expectStatus(w, "application", apply(w, fmt.Sprint("again-", n), "ann", 10), http.StatusAccepted)
			w.Quiet()
		}
		apply(w, "bob", "bob", small)
		apply(w, "eve", "eve", small)
		apply(w, "ada", "ada", small+1)
		apply(w, "carl", "carl", 90_000)
		apply(w, "dora", "dora", 20_000)
		expectStatus(w, "the same application", apply(w, "dora", "dora", 1), http.StatusConflict)
		expectStatus(w, "a loan of nothing", apply(w, "zoe", "zoe", 0), http.StatusBadRequest)
		w.Quiet()
		expectStatus(w, "a decision on what is decided", decide(w, "bob", "decline"), http.StatusConflict)
		expectStatus(w, "a decision on nothing", decide(w, "nobody", "decline"), http.StatusNotFound)
		expectStatus(w, "no decision", decide(w, "ada", "perhaps"), http.StatusBadRequest)
		expectStatus(w, "an approval", decide(w, "ada", "approve"), http.StatusOK)
		expectStatus(w, "a refusal", decide(w, "carl", "decline"), http.StatusOK)
		expectStatus(w, "a second thought", decide(w, "carl", "approve"), http.StatusConflict)
		expect(w, "ada|approved|Grace", "again-0|approved|", "again-1|approved|", "again-2|approved|",
			"again-3|declined|application 4 of ann", "again-4|declined|application 5 of ann", "bob|approved|",
			"carl|declined|Grace says: so be it", "dora|waiting for a person|", "eve|declined|a credit score of 480")
		w.Expect(loanApproved{about{"ada"}, small + 1, "Grace"}, loanDeclined{about{"carl"}, "Grace says: so be it"})
	})
}

// A person has 30 days, whatever happens to the service meanwhile.
func TestThirtyDays(t *testing.T) {
	for _, tc := range []struct {
		name string
		days []int // on which loans crashes; it is back after an hour
		on   int   // day of the decision; 0: there is none
		want int   // answer to it
		ends string
	}{
		{"nobody decides", []int{15}, 0, 0, "declined|nobody has decided in time"},
		{"decided on day 29", []int{15}, 29, http.StatusOK, "approved|Grace"},
		{"decided on day 31", []int{3, 16}, 31, http.StatusConflict, "declined|nobody has decided in time"},
		{"away at the deadline", []int{29}, 0, 0, "declined|nobody has decided in time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				open(w, service.Config{})
				begun := time.Now()
				apply(w, "dora", "dora", 20_000)
				w.Quiet()
				for n := 1; n <= 31; n++ {
					w.Sleep(day)
					if slices.Contains(tc.days, n) {
						w.Crash("loans")
						if w.Sleep(time.Hour); n == 29 {
							w.Sleep(2 * day) // the deadline passes
						}
						w.Restart("loans")
						w.Quiet()
					}
					if n == 28 {
						expect(w, "dora|waiting for a person|")
					}
					if n == tc.on {
						expectStatus(w, fmt.Sprintf("a decision after %v", time.Since(begun)), decide(w, "dora", "approve"), tc.want)
					}
				}
				expect(w, "dora|"+tc.ends)
				ends := 0
				for _, e := range w.Events() {
					if e.Type == (loanApproved{}).Contract().Type || e.Type == (loanDeclined{}).Contract().Type {
						ends++
					}
				}
				if ends != 1 {
					w.T().Errorf("it has ended %d times, want once", ends)
				}
			})
		})
	}
}

var outcomes = []string{"ada|approved|Grace", "bob|approved|", "carl|declined|Grace says: so be it", "dora|declined|nobody has decided in time", "eve|declined|a credit score of 480"}

// everything has an application of each kind go its way, and tries again what is not
// answered: who asks twice gets 409 then.
func everything(w *tuttitest.World, again func()) {
	until := func(do func() int) {
		for n := 0; ; n++ {
			again()
			if w.Running("loans") {
				switch do() {
				case http.StatusOK, http.StatusAccepted:
					return
				case http.StatusConflict:
					if n > 0 {
						return
					}
				}
			}
			w.Sleep(time.Second)
		}
	}
	for who, amount := range map[string]int{"ada": 20_000, "bob": small, "carl": 20_000, "dora": 20_000, "eve": 20_000} {
		until(func() int { return apply(w, who, who, amount) })
	}
	for who, choice := range map[string]string{"ada": "approve", "carl": "decline"} {
		for again(); !w.Running("loans") || w.Query("loans", `SELECT status FROM applications WHERE id = $1`, who)[0] == received; again() {
			w.Sleep(time.Second)
		}
		until(func() int { return decide(w, who, choice) })
	}
	w.Sleep(month)
	again()
	expect(w, outcomes...)
}

// The service may die at any moment. We try every sixth, or all where CI asks for many
// seeds.
func TestLoansCrashAnywhere(t *testing.T) {
	step := 6
	if os.Getenv("TUTTI_SEEDS") != "" {
		step = 1
	}
	more := true
	for moment := 1; more; moment += step {
		t.Run(fmt.Sprint(moment), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				calls := 0
				open(w, service.Config{Fault: func(service.Point) error {
					if calls++; calls == moment {
						return service.ErrCrash
					}
					return nil
				}})
				w.ExpectEnd("loans")
				everything(w, func() {
					if !w.Running("loans") {
						w.Restart("loans")
					}
				})
				more = calls >= moment
			})
		})
	}
}

// Whatever happens to services, network and broker, each application is decided on as it
// should be.
func TestLoansUnderFaults(t *testing.T) {
	tuttitest.Seeds(t, 5, func(w *tuttitest.World) {
		open(w, service.Config{})
		w.Chaos(tuttitest.Chaos{})
		everything(w, func() {})
	})
}

// All that the saga asks is handled by somebody, and somebody says all that it waits for.
func TestSomebodyAnswers(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		open(w, service.Config{})
		services := []*service.Service{w.Service("loans"), w.Service("credit"), w.Service("fraud")}
		if err := saga.CheckAnswers(services, deciding(month)); err != nil {
			w.T().Error(err)
		}
	})
}

func TestProgram(t *testing.T) {
	var out strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := program().Run(ctx, []string{"--deadline", "100ms"}, func(string) string { return "" }, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"declined: a credit score of 480\n", "approved: Grace\n", "declined: Grace says: it is for a yacht\n",
		"declined: nobody has decided in time\n", "Grace says approve: 409 Conflict\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the program says\n%s, want %q in it", &out, want)
		}
	}
}
