package verify

import (
	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// shop is what the databases of a shop say.
type shop struct {
	orders   map[string]*order
	returns  map[string]*giveBack
	levels   map[string]level // of stock, by product
	receipts map[string]int64 // pieces received, by product

	reservations  map[string]reservation // by order
	restocks      map[string]string      // orders, by return
	payments      map[string]payment     // by order
	refunds       map[string]refund      // by return
	shipments     map[string]shipment    // by order
	notifications map[string]notification
	spend         sums              // by customer
	sagas         map[string][]saga // by order

	charges     []charge
	chargeParts map[string]chargePart
	bookings    []booking
	mails       []mail
	services    []*books
	gateways    []*books // of which there is no bookkeeping
}

type order struct {
	id, customer, status string
	total                int64
	directed             bool // by a mediator
	lines                []line
}

type line struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unitPrice"`
}

type giveBack struct {
	id, order, status string
	refund            int64
	lines             []line
}

type level struct{ received, reserved int64 }

type reservation struct {
	status string
	lines  []line
}

type payment struct {
	status string
	amount int64
}

type shipment struct {
	status string
	paid   bool // or the mediator has seen to that
}

// saga is how far the mediator is with an order.
type saga struct{ name, status string }

type refund struct {
	order, status string
	amount        int64
}

type notification struct{ order, kind, status string }

// charge is what the payment gateway took under a key.
type charge struct {
	key, order       string
	amount, refunded int64
	void             bool
}

// taken reports whether the charge was made and not taken back as a whole.
func (c charge) taken() bool { return c.amount > 0 && !c.void }

// chargePart is a part of a charge that the gateway gave back.
type chargePart struct {
	charge string
	amount int64
}

// booking is what the carrier did under a key.
type booking struct {
	key, order string
	booked     bool // and not called off
}

type mail struct{ key, order string }

// books is the framework's bookkeeping in one service's database.
type books struct {
	service   string
	there     bool   // false: there is no database
	name      string // of its lanes; another one once its database was restored from a copy
	positions map[event.Partition]store.Position
	seen      map[event.Partition]map[string]int64
	numbered  map[store.LanePartition]int64
	parked    map[place]bool
	jobs      int
	unsent    []store.Sendable
	damaged   []damage // rows that cannot be read
}

// place is where a record is in the log.
type place struct {
	event.Partition
	offset int64
}

func newShop() *shop {
	return &shop{
		orders: map[string]*order{}, returns: map[string]*giveBack{}, levels: map[string]level{}, receipts: map[string]int64{},
		reservations: map[string]reservation{}, restocks: map[string]string{}, payments: map[string]payment{}, refunds: map[string]refund{},
		shipments: map[string]shipment{}, notifications: map[string]notification{}, spend: sums{}, sagas: map[string][]saga{}, chargeParts: map[string]chargePart{},
	}
}

// count adds up the pieces of each product.
func count(lines []line, factor int64, into map[string]int64) {
	for _, l := range lines {
		into[l.SKU] += factor * l.Quantity
	}
}

func worth(lines []line) (sum int64) {
	for _, l := range lines {
		sum += l.Quantity * l.UnitPrice
	}
	return sum
}
