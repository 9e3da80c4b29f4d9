// Package gateway simulates what the shop reaches outside: a payment gateway, a
// carrier and a mail provider. What each of them did stands in a ledger of its
// own, a SQLite file that no service owns, so that tests and people can compare
// what the services believe with what really happened.
//
// # Guarantees
//
// Every call is idempotent by its key: the same key again has no second effect,
// and gets the same answer, over restarts too. A call that has answered is on
// disk. What a simulator does depends on nothing but the token or address and on
// how often a key was called, so a run can be repeated.
//
// An error that [event.Reject] made says that the other side refused: it did
// nothing, and never will for this key. After any other error the outcome is
// unknown, as it is in life: the call is to be repeated, or undone with Void or
// CallOff, which refuse the key from then on even if the call comes late.
//
// # Payment tokens
//
//	tok_ok*       succeeds, like any other token that is not listed here
//	tok_decline*  is declined
//	tok_timeout*  the first call charges and never answers; the next one answers
//	tok_late*     charges at once and answers after 5 s
//	tok_twice*    answers, and then reports the same charge to [Payment.Notify]
//	tok_down_N*   fails N times with a passing error, then succeeds
//
// An empty token is refused.
//
// # Addresses
//
//	city Nowhere     no carrier goes there: refused
//	city Slowtown    booked at once, answered after 5 s
//	city Timeout     the first call books and never answers; the next one answers
//	mail *@bounce.example  refused
//
// # What it does not do
//
// It speaks no protocol of a real provider and knows no service: services declare
// the interface that they need, and the simulators fit it. A simulator that does
// not answer gives up after 30 s if the caller does not before.
//
// # Concurrency
//
// Any number of goroutines may call. Calls that come while a transaction is being
// written share the next one, so thousands a second cost a few syncs to disk.
//
// # Testing
//
// All delays are timers, so they pass at once in virtual time. Ledger gives the
// tables to a test: charges and refunds, bookings, mails.
package gateway
