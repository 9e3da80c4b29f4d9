package verify

import "testing"

// lies are ways in which databases can be wrong.
var lies = []struct {
	name      string
	db        string
	sql       string
	settled   bool // it is wrong only once all is settled
	invariant string
	id        string
}{
	{"charge is gone", "gateway-payment", `DELETE FROM charges WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"charge was taken back", "gateway-payment", `UPDATE charges SET void = 1, refunded = amount WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"payment failed", "payment", `UPDATE payments SET status = 'failed' WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"payment is not known", "payment", `DELETE FROM payments WHERE order_id = 'o1'`, false, ShippedPaid, "o1"},
	{"booked and unpaid", "gateway-carrier", `INSERT INTO bookings VALUES ('book-o2', 'o2', 1, 0)`, false, ShippedPaid, "o2"},
	{"scheduled and unpaid", "shipping", `UPDATE shipments SET status = 'scheduled' WHERE order_id = 'o2'`, false, ShippedPaid, "o2"},
	{"confirmed and not scheduled", "shipping", `UPDATE shipments SET status = 'booking' WHERE order_id = 'o5'`, false, ShippedPaid, "o5"},

	{"confirmed and not booked", "gateway-carrier", `UPDATE bookings SET called_off = 1 WHERE order_id = 'o5'`, false, ChargedShipped, "o5"},
	{"cancelled and charged", "gateway-payment", `INSERT INTO charges VALUES ('charge-o2', 'o2', 200, 1, 0, 0)`, false, ChargedShipped, "o2"},
	{"refund is gone", "gateway-payment", `UPDATE charges SET void = 0, refunded = 0 WHERE order_id = 'o3'`, false, ChargedShipped, "o3"},
	{"refund of a part", "gateway-payment", `UPDATE charges SET refunded = 499 WHERE order_id = 'o3'`, false, ChargedShipped, "o3"},
	{"scheduled, as if it were unpaid", "shipping", `UPDATE shipments SET paid = 0 WHERE order_id = 'o5'`, false, ShippedPaid, "o5"},
	{"charge without order", "gateway-payment", `INSERT INTO charges VALUES ('charge-o9', 'o9', 200, 1, 0, 0)`, false, ChargedShipped, "o9"},
	{"return not refunded", "gateway-payment", `DELETE FROM refunds WHERE charge = 'charge-o1'`, false, ChargedShipped, "o1"},

	{"stock leaks", "inventory", `UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, StockLive, "A"},
	{"stock is free", "inventory", `UPDATE stock SET reserved = reserved - 1 WHERE sku = 'B'`, false, StockLive, "B"},
	{"reservation is gone", "inventory", `DELETE FROM reservations WHERE order_id = 'o5'; UPDATE stock SET reserved = reserved - 7 WHERE sku = 'A'`, false, StockLive, "o5"},
	{"reservation of another quantity", "inventory", `UPDATE reservations SET lines = '[{"sku":"A","quantity":8}]' WHERE order_id = 'o5'; UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, StockLive, "o5"},
	{"reservation without order", "inventory", `INSERT INTO reservations VALUES ('o9', 'reserved', '[{"sku":"A","quantity":1}]'); UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, StockLive, "o9"},
	{"cancelled and reserved", "inventory", `UPDATE reservations SET status = 'reserved' WHERE order_id = 'o2'; UPDATE stock SET reserved = reserved + 2 WHERE sku = 'A'`, true, StockLive, "o2"},
	{"restock without return", "inventory", `INSERT INTO restocks VALUES ('r9', 'o1')`, false, StockLive, "r9"},
	{"restocked twice", "inventory", `UPDATE stock SET reserved = reserved - 1 WHERE sku = 'A'`, false, StockLive, "A"},

	{"more reserved than received", "inventory", `UPDATE stock SET received = 1 WHERE sku = 'A'; UPDATE receipts SET quantity = 1 WHERE sku = 'A'`, false, StockPositive, "A"},
	{"stock below nothing", "inventory", `UPDATE stock SET reserved = -1 WHERE sku = 'B'`, false, StockPositive, "B"},
	{"product out of nowhere", "inventory", `INSERT INTO stock VALUES ('C', 5, 0)`, false, StockPositive, "C"},
	{"stock out of nowhere", "inventory", `UPDATE stock SET received = received + 1 WHERE sku = 'B'`, false, StockPositive, "B"},

	{"order is lost in between", "order", `UPDATE orders SET status = 'placed' WHERE id = 'o1'`, true, OrdersEnd, "o1"},
	{"order is nowhere", "order", `UPDATE orders SET status = 'shipped' WHERE id = 'o1'`, false, OrdersEnd, "o1"},
	{"return is lost in between", "order", `UPDATE returns SET status = 'requested' WHERE id = 'r1'`, true, OrdersEnd, "r1"},
	{"return of a cancelled order", "order", `UPDATE returns SET order_id = 'o2' WHERE id = 'r1'`, false, OrdersEnd, "r1"},
	{"payment is nowhere", "payment", `UPDATE payments SET status = 'paid' WHERE order_id = 'o1'`, false, OrdersEnd, "o1"},

	{"charged twice", "gateway-payment", `INSERT INTO charges VALUES ('charge-o1-again', 'o1', 550, 1, 0, 0)`, false, Once, "o1"},
	{"booked twice", "gateway-carrier", `INSERT INTO bookings VALUES ('book-o1-again', 'o1', 1, 0)`, false, Once, "o1"},
	{"written about twice", "gateway-mail", `INSERT INTO mails VALUES ('confirmed:o1:again', 'o1', 1)`, false, Once, "o1"},
	{"told two things", "notification", `INSERT INTO notifications VALUES ('cancelled:o1', 'o1', 'c1', 'cancelled', 'queued', 1)`, false, Once, "o1"},
	{"told the wrong thing", "notification", `UPDATE notifications SET kind = 'cancelled' WHERE order_id = 'o1'`, false, Once, "confirmed:o1"},
	{"never told", "notification", `DELETE FROM notifications WHERE order_id = 'o1'`, true, Once, "o1"},
	{"mail never sent", "gateway-mail", `DELETE FROM mails WHERE order_id = 'o1'`, false, Once, "confirmed:o1"},

	{"spent too much", "customer", `UPDATE customers SET spend = spend + 1 WHERE id = 'c1'`, false, Spend, "c1"},
	{"customer forgotten", "customer", `DELETE FROM customers WHERE id = 'c2'`, false, Spend, "c2"},
	{"return did not count", "customer", `UPDATE customers SET spend = 550 WHERE id = 'c1'`, false, Spend, "c1"},
	{"orders not read", "customer", `UPDATE tutti_position SET next = 0; UPDATE customers SET spend = 0`, true, Spend, "c1"},

	{"total is wrong", "order", `UPDATE orders SET total = total - 1 WHERE id = 'o1'`, false, Amounts, "o1"},
	{"line is cheaper", "order", `UPDATE orders SET lines = '[{"sku":"A","quantity":7,"unitPrice":99}]' WHERE id = 'o5'`, false, Amounts, "o5"},
	{"charged too much", "gateway-payment", `UPDATE charges SET amount = amount + 1 WHERE order_id = 'o5'`, false, Amounts, "o5"},
	{"payment means another amount", "payment", `UPDATE payments SET amount = 1 WHERE order_id = 'o5'`, false, Amounts, "o5"},
	{"refund is too small", "gateway-payment", `UPDATE refunds SET amount = 99 WHERE charge = 'charge-o1'; UPDATE charges SET refunded = 99 WHERE order_id = 'o1'`, false, Amounts, "r1"},
	{"refund means another amount", "payment", `UPDATE refunds SET amount = 99`, false, Amounts, "r1"},
	{"given back in secret", "gateway-payment", `UPDATE charges SET refunded = refunded + 1 WHERE order_id = 'o1'`, false, Amounts, "o1"},
	{"given back for no return", "gateway-payment", `INSERT INTO refunds VALUES ('return-r9', 'charge-o5', 50, 1); UPDATE charges SET refunded = 50 WHERE order_id = 'o5'`, false, Amounts, "r9"},
	{"given back of another order", "gateway-payment", `UPDATE refunds SET charge = 'charge-o5'; UPDATE charges SET refunded = 0 WHERE order_id = 'o1'; UPDATE charges SET refunded = 100 WHERE order_id = 'o5'`, false, Amounts, "r1"},
	{"refund of no return", "payment", `INSERT INTO refunds VALUES ('r9', 'o5', 50, 'refunding')`, false, Amounts, "r9"},
	{"returned more than was ordered", "order", `UPDATE returns SET lines = '[{"sku":"A","quantity":4,"unitPrice":25}]'`, false, Amounts, "o1"},

	{"confirmed in secret", "order", `UPDATE orders SET status = 'confirmed' WHERE id = 'o2'`, false, Agree, "o2"},
	{"confirmation forgotten", "order", `UPDATE orders SET status = 'placed' WHERE id = 'o5'`, false, Agree, "o5"},
	{"cancellation forgotten", "order", `UPDATE orders SET status = 'cancelling' WHERE id = 'o4'`, false, Agree, "o4"},
	{"order in secret", "order", `INSERT INTO orders SELECT 'o9', customer, status, freed, total, placed_at, deadline, reason, request_hash, lines, history, 0 FROM orders WHERE id = 'o4'`, false, Agree, "o9"},
	{"payment forgotten", "payment", `UPDATE payments SET status = 'pending' WHERE order_id = 'o5'`, false, Agree, "o5"},
	{"payment not stored", "payment", `DELETE FROM payments WHERE order_id = 'o3'`, false, Agree, "o3"},
	{"release forgotten", "inventory", `UPDATE reservations SET status = 'refused' WHERE order_id = 'o2'`, false, Agree, "o2"},
	{"delivery forgotten", "shipping", `UPDATE shipments SET status = 'pending' WHERE order_id = 'o3'`, false, Agree, "o3"},
	{"paid in secret", "shipping", `UPDATE shipments SET paid = 1 WHERE order_id = 'o2'`, false, Agree, "o2"},
	{"paid in secret, and directed", "shipping", `UPDATE shipments SET paid = 1 WHERE order_id = 'd2'`, false, Agree, "d2"},
	{"payment did not get to shipping", "shipping", `UPDATE shipments SET paid = 0 WHERE order_id = 'o3'`, true, Agree, "o3"},
	{"return forgotten", "order", `DELETE FROM returns`, false, Agree, "r1"},
	{"restock forgotten", "inventory", `DELETE FROM restocks; UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'`, false, Agree, "r1"},
	{"refund forgotten", "payment", `UPDATE refunds SET status = 'refunding'`, false, Agree, "r1"},
	{"database is older than the log", "order", `UPDATE tutti_seq SET seq = seq - 1`, false, Agree, ""},
	{"numbers are forgotten", "order", `DELETE FROM tutti_seq`, false, Agree, ""},
	{"numbers are forgotten of payment", "payment", `DELETE FROM tutti_seq`, true, Agree, ""},
	{"numbers of a topic are forgotten", "fulfilment", `DELETE FROM tutti_seq WHERE topic = 'shop.shipment.command'`, false, Agree, ""},
	{"log is older than the database", "order", `UPDATE tutti_seq SET seq = seq + 1`, false, Agree, ""},
	{"read what is not there", "order", `UPDATE tutti_position SET next = next + 1`, false, Agree, "order"},
	{"read numbers that are not there", "order", `UPDATE tutti_seen SET seq = seq + 1`, false, Agree, "order"},

	{"lines are damaged", "order", `UPDATE orders SET lines = 'not json' WHERE id = 'o1'`, false, Agree, "o1"},
	{"lines of a return are damaged", "order", `UPDATE returns SET lines = '{}'`, false, Agree, "r1"},
	{"lines of a reservation are damaged", "inventory", `UPDATE reservations SET lines = '[' WHERE order_id = 'o5'`, false, Agree, "o5"},
	{"total is damaged", "order", `UPDATE orders SET total = 'much' WHERE id = 'o1'`, false, Agree, "order"},
	{"ledger is damaged", "gateway-payment", `UPDATE charges SET amount = 'much' WHERE order_id = 'o1'`, false, Agree, "gateway-payment"},

	{"order is gone", "order", `DELETE FROM orders WHERE id = 'o1'`, false, Kept, "o1"},
	{"acknowledged order is gone", "order", `DELETE FROM orders WHERE id = 'o4'`, false, Kept, "o4"},

	{"saga gave up", "fulfilment", `UPDATE saga_done SET status = 'compensated' WHERE id = 'd1'`, false, Directed, "d1"},
	{"saga got through", "fulfilment", `UPDATE saga_done SET status = 'completed' WHERE id = 'd2'`, false, Directed, "d2"},
	{"saga is gone", "fulfilment", `DELETE FROM saga_done WHERE id = 'd2'`, false, Directed, "d2"},
	{"saga of nobody's", "fulfilment", sagaRow("saga_done", "o5", "completed"), false, Directed, "o5"},
	{"two sagas", "fulfilment", `UPDATE saga_done SET id = 'd1', saga = 'other' WHERE id = 'd2'`, false, Directed, "d1"},
	{"saga is not over", "fulfilment", `DELETE FROM saga_done WHERE id = 'd1'; ` + sagaRow("saga_live", "d1", "stuck"), true, Directed, "d1"},
	{"saga of no order", "fulfilment", sagaRow("saga_live", "o9", "running"), false, Kept, "o9"},

	{"job is left", "shipping", `INSERT INTO tutti_job VALUES ('shipping.calloff', 'o3', 0, 1, 'dead', 0, '{}', '', '', 0)`, true, Settled, "shop"},
	{"event not read", "customer", `UPDATE tutti_seen SET seq = seq - 1`, true, Settled, "shop"},
	{"position is set back", "payment", `UPDATE tutti_position SET next = next - 1 WHERE topic = 'shop.shipment'`, true, Settled, "payment"},
	{"position is gone", "notification", `DELETE FROM tutti_position`, true, Settled, "notification"},
	{"all that was read is gone", "inventory", `DELETE FROM tutti_position; DELETE FROM tutti_seen`, true, Settled, "inventory"},
	{"record is parked", "customer", `INSERT INTO tutti_parked (topic, part, pos, msgkey, state, attempts, due, since, error, headers, body)
		VALUES ('shop.order', 0, 0, 'o1', 'dead', 1, 1, 1, 'odd', '', '')`, true, Settled, "shop"},
}

func TestLies(t *testing.T) {
	f := newFixture(t)
	f.settle()
	log := f.fetched()
	dir := f.stopped()
	covered := map[string]bool{}
	for _, lie := range lies {
		covered[lie.invariant] = true
		t.Run(lie.name, func(t *testing.T) {
			t.Parallel()
			copied := copyDatabases(t, dir)
			falsify(t, copied, lie.db, lie.sql)
			r := judged(t.Context(), t, copied, log, Config{Settled: lie.settled, Acknowledged: []string{"o4"}})
			expect(t, r, lie.invariant, lie.id)
		})
	}
	for _, name := range append(always, Settled) {
		if !covered[name] {
			t.Errorf("no lie is against %s", name)
		}
	}
}
