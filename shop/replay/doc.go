// Package replay sends real orders through the shop: the invoices of a file in the
// layout of the Online Retail data set (UCI Machine Learning Repository,
// doi 10.24432/C5BW33).
//
// The file is read twice. [Open] finds out whether it is whole, before anything is sent,
// and learns the products and customers. [Run] makes these known to the shop with an
// initial stock, reads the file again, and places each invoice as an order, and brings back the goods of each invoice that
// begins with C: from confirmed orders of that customer that come earlier in the
// file, the newest first, once all of that customer's earlier orders have ended.
//
// The lines of an invoice need not be adjacent, but near: an invoice ends when 16 others
// have begun after its first line, or when the open ones together have more than 2,000
// lines. Lines of it that come later are rejected ([SeenBefore]). A line that is
// rejected by itself neither begins an invoice nor ends one.
//
// Each line of the file is placed, returned, or rejected for a [Reason]. A line is
// what ends with a newline: a quote that is not closed spoils its own line only.
// Text is UTF-8, or Latin-1 where it is not. Prices are exact, rounded half up to
// pence. Stock codes are upper-case. Sales that name no customer are orders of a
// guest of their own. Gift vouchers are goods; postage, fees, discounts and the
// like are not. The invoice's date is not used.
//
// # Guarantees
//
// Everything that is sent may be sent again: the same command on the same data,
// after a crash at any moment, goes on and ends with the same figures, as long as
// there is stock for all orders. Where it is scarce they compete for it, and which
// are confirmed differs from run to run. No line of any content stops a replay. A shop
// that is overloaded is waited for. Where the file cannot be read to its end any more,
// what was placed until then is waited for.
//
// # What it does not do
//
// It starts no services, and checks no invariants: package verify does. It keeps
// nothing on disk.
//
// # Concurrency
//
// Run sends many requests at once, to a handler in this process. Callbacks are
// called from its goroutines, each kind one at a time.
//
// # Testing
//
// Give [Config] any handler and any source of outcomes.
package replay
