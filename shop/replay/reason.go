package replay

// Reason says why a line was rejected.
type Reason string

// The reasons. Each line of a file is placed, returned, or rejected for one of
// them; the first that applies, in this order.
const (
	BlankLine   Reason = "blank line"
	LongLine    Reason = "line is too long"
	Malformed   Reason = "malformed line"      // fields or numbers that cannot be read
	NotASale    Reason = "not a sale"          // invoices that are neither 536365 nor C536365
	SeenBefore  Reason = "invoice seen before" // and ended: its lines are too far apart in the file
	NotAProduct Reason = "not a product"       // postage, fees, discounts, tests
	OutOfRange  Reason = "number out of range"
	NotPositive Reason = "quantity is not positive"
	NotNegative Reason = "quantity of a return is not negative"
	NoPrice     Reason = "no price" // blank, zero, negative, or less than half a penny
	NoCustomer  Reason = "customer unknown"
	TwoBuyers   Reason = "invoice of another customer"
	ManyLines   Reason = "invoice has too many lines"
	NoOrder     Reason = "return without earlier order"
	Cancelled   Reason = "order was cancelled" // a return of what was never delivered
	TooMuch     Reason = "return of more than was ordered"
	Refused     Reason = "refused by the shop" // with a 4xx answer
)

// Rejection is a line that was neither placed nor returned.
type Rejection struct {
	Line   int    `json:"line"` // in the file, the header being line 1
	Reason Reason `json:"reason"`
	// Detail is what the shop answered, or the text that cannot be read.
	Detail string `json:"detail,omitempty"`
}
