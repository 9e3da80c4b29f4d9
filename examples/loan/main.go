// Command loan decides on loans by a saga: a credit check, a fraud check, and for large
// ones a person, who has 30 days. What nobody decides on by then is declined.
//
//	go run ./examples/loan
//
// runs five applications, plays the person, and tells what happens; here, the 30 days are
// three seconds. It needs nothing but Go. To be the person yourself:
//
//	go run ./examples/loan --by-hand --deadline 5m
//
// What to look at:
//
//   - loans.go: the saga, as the business would tell it, and the routes of the service
//     that runs it. The decision is a request like any other.
//   - checks.go: two services that are asked, with tables of their own.
//   - messages.go: all that they share.
//   - story.go: the applicants, and the person who decides. They use the routes alone.
//   - main_test.go: 30 days with a crash in the middle, in milliseconds.
package main

import (
	"context"
	"flag"
	"time"

	"github.com/tutti-go/tutti/service"
)

func main() { program().Main() }

// month is how long a person has, where it is not for show.
const month = 30 * 24 * time.Hour

// program is the service that decides, and those that it asks:
//
//	POST /applications ─► loans ── checkCredit ─► credit ── creditGood | creditPoor ─────► loans
//	                            ── checkFraud ──► fraud ─── fraudUnlikely | fraudSuspected ─►
//	POST /applications/{id}/decision ───────────────────────────────────────────────────►
//	                                                            loanApproved | loanDeclined ◄─
func program() service.Program {
	flags := flag.NewFlagSet("loan", flag.ContinueOnError)
	deadline := flags.Duration("deadline", 3*time.Second, "decline an application that nobody decides on in this `TIME`; in life, 720h")
	byHand := flags.Bool("by-hand", false, "leave the decisions to you")
	return service.Program{
		Name: "loan", Flags: flags,
		Services: []service.Member{
			{Name: "loans", Register: func(s *service.Service) { loans(s, *deadline) }},
			{Name: "credit", Register: credit},
			{Name: "fraud", Register: fraud},
		},
		Demo: func(ctx context.Context, r *service.Running) error {
			return tell(ctx, &teller{url: r.URL, out: r.Out, byHand: *byHand})
		},
	}
}
