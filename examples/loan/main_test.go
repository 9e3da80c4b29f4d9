package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

const day = 24 * time.Hour

// open starts all services. cfg is that of loans.
func open(w *tuttitest.World, deadline time.Duration, cfg service.Config) {
	w.Start("loans", func(s *service.Service) { loans(s, deadline) }, cfg)
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

// stands asks how an application stands.
func stands(w *tuttitest.World, id string) string {
	resp, err := w.HTTP("loans").Get("http://loans/applications/" + id)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var p progress
	_ = json.NewDecoder(resp.Body).Decode(&p) // or it stands nowhere
	return p.Status
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
		open(w, month, service.Config{})
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
		expectStatus(w, "an applicant who has decided", post(w, "", `{"id": "ivy", "applicant": "ivy", "amount": 10, "by": "Grace"}`), http.StatusBadRequest)
		expectStatus(w, "a very long id", apply(w, strings.Repeat("x", 513), "zoe", 1), http.StatusBadRequest)
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

// Who withdraws, or whose credit is not answered about, is not told that nobody decided.
func TestReasons(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		open(w, month, service.Config{})
		apply(w, "ada", "ada", 20_000)
		apply(w, "bob", "bob", 20_000)
		w.Quiet()
		cancel(w, "ada", "applicant withdrew")
		cancel(w, "bob", "")
		w.Stop("credit")
		apply(w, "carl", "carl", 20_000)
		w.Sleep(4 * time.Minute)
		expect(w, "ada|declined|applicant withdrew", "bob|declined|cancelled", "carl|declined|credit check: no answer within 1m0s")
	})
}

// cancel does what "tutti sagas cancel" does.
func cancel(w *tuttitest.World, id, note string) {
	w.T().Helper()
	body := fmt.Sprintf(`{"refs": [{"kind": "loan.application", "id": %q}], "by": "Grace", "note": %q}`, id, note)
	r := httptest.NewRequestWithContext(w.T().Context(), http.MethodPost, "http://127.0.0.1:9090/services/loans/sagas/cancel", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.Service("loans").Admin().ServeHTTP(rec, r)
	if !strings.Contains(rec.Body.String(), `"done":true`) {
		w.T().Errorf("to cancel %s is answered with %d %s", id, rec.Code, rec.Body)
	}
}

// pass lets a time pass in which nothing happens. Services that wait cost a little real
// time for each hour, so they are stopped meanwhile.
func pass(w *tuttitest.World, d time.Duration) {
	w.T().Helper()
	names := []string{"credit", "fraud", "loans"}
	for _, name := range names {
		w.Stop(name)
	}
	w.Sleep(d)
	for _, name := range names {
		w.Restart(name)
	}
}

// A person has 30 days, whatever happens to the service meanwhile.
func TestThirtyDays(t *testing.T) {
	t.Parallel()
	tuttitest.RunConfig(t, tuttitest.Config{Calm: true}, func(w *tuttitest.World) {
		open(w, month, service.Config{})
		for _, who := range []string{"dora", "finn", "gina"} {
			apply(w, who, who, 20_000)
		}
		w.Quiet()
		pass(w, 15*day)
		w.Crash("loans")
		w.Restart("loans")
		pass(w, 14*day)
		expectStatus(w, "a decision on day 29", decide(w, "finn", "approve"), http.StatusOK)
		pass(w, day-hour)
		expect(w, "dora|waiting for a person|", "finn|approved|Grace", "gina|waiting for a person|")
		w.Sleep(hour)
		expectStatus(w, "a decision a moment too late", decide(w, "gina", "approve"), http.StatusConflict)
		expect(w, "dora|declined|nobody has decided in time", "finn|approved|Grace", "gina|declined|nobody has decided in time")
		w.Expect(loanDeclined{about{"dora"}, "nobody has decided in time"}, loanDeclined{about{"gina"}, "nobody has decided in time"},
			loanApproved{about{"finn"}, 20_000, "Grace"})
		for _, e := range w.Events() {
			if e.Topic == "loan.application" && e.Time.Before(time.Now().Add(-2*day)) && e.Type != (decisionNeeded{}).Contract().Type {
				w.T().Errorf("%s of %s came at %v, too early", e.Type, e.Key, e.Time)
			}
		}
	})
}

// The deadline holds although the service was not there when it passed.
func TestDeadlineWhileAway(t *testing.T) {
	t.Parallel()
	tuttitest.RunConfig(t, tuttitest.Config{Calm: true}, func(w *tuttitest.World) {
		open(w, month, service.Config{})
		apply(w, "dora", "dora", 20_000)
		w.Quiet()
		w.Crash("loans")
		for _, name := range []string{"credit", "fraud"} {
			w.Stop(name)
		}
		w.Sleep(month + day)
		w.Restart("loans")
		expect(w, "dora|declined|nobody has decided in time")
	})
}

const hour = time.Hour // the deadline where the rest is what matters

// everything has an application of each kind go its way, and tries again what is not
// answered. again is called before each attempt.
func everything(w *tuttitest.World, again func()) {
	until := func(done func() bool) {
		for again(); !done(); again() {
			w.Sleep(time.Second)
		}
	}
	for who, amount := range map[string]int{"ada": 20_000, "bob": small, "carl": 20_000, "dora": 20_000, "eve": 20_000} {
		until(func() bool { // who asks twice, because the first answer was lost, is told so
			status := apply(w, who, who, amount)
			return status == http.StatusAccepted || status == http.StatusConflict
		})
	}
	for who, choice := range map[string]string{"ada": "approve", "carl": "decline"} {
		until(func() bool { return stands(w, who) == asked })
		until(func() bool {
			status := decide(w, who, choice)
			return status == http.StatusOK || status == http.StatusConflict
		})
	}
	until(func() bool { return stands(w, "dora") == asked })
	until(func() bool { return stands(w, "eve") == declined })
	w.Quiet()
	again()
	pass(w, hour)
	until(func() bool { return stands(w, "dora") == declined })
	w.Sleep(10 * time.Second)
	again()
	expect(w, "ada|approved|Grace", "bob|approved|", "carl|declined|Grace says: so be it",
		"dora|declined|nobody has decided in time", "eve|declined|a credit score of 480")
}

// The service may die at any moment. We try every sixth, or all where CI asks for many
// seeds.
func TestLoansCrashAnywhere(t *testing.T) {
	t.Parallel()
	step := int64(6)
	if os.Getenv("TUTTI_SEEDS") != "" && !testing.Short() {
		step = 1
	}
	more := true
	for moment := int64(1); more; moment += step {
		t.Run(fmt.Sprint(moment), func(t *testing.T) {
			tuttitest.Run(t, func(w *tuttitest.World) {
				var calls atomic.Int64
				open(w, hour, service.Config{Fault: func(service.Point) error {
					if calls.Add(1) == moment {
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
				more = calls.Load() >= moment
			})
		})
	}
}

// Whatever happens to services, network and broker, each application is decided on as it
// should be.
func TestLoansUnderFaults(t *testing.T) {
	tuttitest.Seeds(t, 5, func(w *tuttitest.World) {
		open(w, hour, service.Config{})
		w.Chaos(tuttitest.Chaos{})
		everything(w, func() {})
	})
}

// All that the saga asks is handled by somebody, and somebody says all that it waits for.
func TestSomebodyAnswers(t *testing.T) {
	tuttitest.Run(t, func(w *tuttitest.World) {
		open(w, month, service.Config{})
		services := []*service.Service{w.Service("loans"), w.Service("credit"), w.Service("fraud")}
		if err := saga.CheckAnswers(services, deciding(month)); err != nil {
			w.T().Error(err)
		}
	})
}

func TestProgram(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := program().Run(ctx, []string{"--deadline", "2s"}, func(string) string { return "" }, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"declined: a credit score of 480\n", "approved: Grace\n", "declined: Grace says: it is for a yacht\n",
		"declined: nobody has decided in time\n", "Grace says approve: 409 Conflict\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the program says\n%s, want %q in it", &out, want)
		}
	}
}
