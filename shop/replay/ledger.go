package replay

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// ledger is what is known of the file's orders and returns while they are under
// way. It is safe for concurrent use.
type ledger struct {
	begun time.Time // the run

	mu       sync.Mutex
	known    map[string]bool // the ids of the file's orders
	orders   map[string]*entry
	early    map[string]Outcome // of orders that are not sent yet
	accounts map[string]*account
	names    map[string]string // one copy of each product's code

	tally    Summary
	waits    []time.Duration // from sending an order to its outcome
	start    time.Time       // of placing orders
	ahead    bool            // orders of an earlier run ended in this one before that
	underWay int             // orders and returns
	complete bool            // nothing will be added
	idle     chan struct{}   // closed when nothing is under way any more
}

// entry is an order under way.
type entry struct {
	*order
	sent     time.Time
	accepted bool // the shop has acknowledged it
	outcome  *Outcome
}

// endedBefore reports whether the order ended before t. Outcomes have milliseconds.
func (e *entry) endedBefore(t time.Time) bool {
	return e.outcome.At.Before(t.Truncate(time.Millisecond))
}

func newLedger(p *plan, begun time.Time) *ledger {
	l := &ledger{
		begun: begun, start: begun,
		known: p.orders, orders: map[string]*entry{}, early: map[string]Outcome{}, accounts: map[string]*account{},
		names: map[string]string{}, tally: Summary{Rejected: map[Reason]int{}}, idle: make(chan struct{}),
	}
	for _, pr := range p.products {
		l.names[pr.sku] = pr.sku
	}
	return l
}

func (l *ledger) intern(sku string) string {
	if known, ok := l.names[sku]; ok {
		return known
	}
	return strings.Clone(sku)
}

// open notes that orders are placed from now on.
func (l *ledger) open(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = now
}

// begin notes an order that is about to be sent.
func (l *ledger) begin(inv invoice, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &order{place: inv.place, id: inv.id, lines: len(inv.lines)}
	if inv.customer != "" {
		o.account = l.account(inv.customer)
		o.account.buy(o, inv.lines, l.intern)
	}
	e := &entry{order: o, sent: now}
	if outcome, ok := l.early[o.id]; ok {
		delete(l.early, o.id)
		e.outcome = &outcome
	}
	l.orders[o.id] = e
	l.underWay++
}

func (l *ledger) account(customer string) *account {
	a := l.accounts[customer]
	if a == nil {
		a = &account{shelves: map[string]*shelf{}}
		l.accounts[strings.Clone(customer)] = a
	}
	return a
}

// accept notes that the shop has acknowledged an order. Like refuse and settle it
// returns the returns that may be matched now, and whether the order has ended.
func (l *ledger) accept(id string) (ready []*giveBack, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.orders[id]
	e.accepted = true
	l.tally.Orders++
	l.tally.Placed += e.lines
	l.tally.Accepted = append(l.tally.Accepted, id)
	return l.end(e)
}

// refuse notes that the shop will not take an order.
func (l *ledger) refuse(id string) (ready []*giveBack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.orders[id]
	e.state = orderRefused
	return l.remove(e)
}

// settle notes an outcome. It may come before the order is accepted, or twice, or
// for an order that is none of the file's.
func (l *ledger) settle(o Outcome, now time.Time) (ready []*giveBack, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known[o.OrderID] {
		return nil, false
	}
	e := l.orders[o.OrderID]
	switch {
	case e == nil:
		l.early[o.OrderID] = o
		return nil, false
	case e.outcome != nil || e.state != orderOpen:
		return nil, false
	}
	e.outcome = &o
	if !e.endedBefore(e.sent) { // else it was sent before, by an earlier run
		l.waits = append(l.waits, now.Sub(e.sent))
	}
	return l.end(e)
}

// end ends an order once it is accepted and its outcome is known.
func (l *ledger) end(e *entry) (ready []*giveBack, ended bool) {
	if !e.accepted || e.outcome == nil {
		return nil, false
	}
	if e.outcome.Confirmed {
		e.state = orderConfirmed
		l.tally.Confirmed++
	} else {
		e.state = orderCancelled
		l.tally.Cancelled++
	}
	switch {
	case e.endedBefore(l.begun):
		l.tally.Resumed++
	case e.endedBefore(l.start):
		l.ahead = true
	}
	return l.remove(e), true
}

func (l *ledger) remove(e *entry) (ready []*giveBack) {
	if e.account != nil {
		ready = e.account.settled(e.order)
	}
	l.done()
	return ready
}

// bring notes an invoice that takes goods back.
func (l *ledger) bring(inv invoice) (ready []*giveBack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay++
	a := l.account(inv.customer)
	a.waiting = append(a.waiting, &giveBack{invoice: inv})
	return a.ready()
}

// returned notes that an invoice's goods are back, as far as lines says.
func (l *ledger) returned(lines int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.Returned += lines
	if lines > 0 {
		l.tally.Returns++
	}
	l.done()
}

func (l *ledger) reject(why Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.Rejected[why]++
}

func (l *ledger) done() {
	l.underWay--
	l.check()
}

// finish says that the file has been read.
func (l *ledger) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complete = true
	l.check()
}

func (l *ledger) check() {
	if l.complete && l.underWay == 0 {
		close(l.idle)
	}
}

// summary is the tally so far, with the times up to end.
func (l *ledger) summary(end time.Time) Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, start := l.tally.clone(), l.start
	if l.ahead {
		start = l.begun
	}
	s.measure(end.Sub(start), slices.Clone(l.waits))
	return s
}

// progress is the tally so far without what grows with the file.
func (l *ledger) progress() Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Progress{
		Orders: l.tally.Orders, Confirmed: l.tally.Confirmed, Cancelled: l.tally.Cancelled, Returns: l.tally.Returns,
		Rejected: l.tally.Rejections(), UnderWay: l.underWay,
	}
}
