package verify

import "github.com/tutti-go/tutti/store"

func (s *shop) orderTables() []table {
	return []table{
		{"orders", "id, customer, status, total, directed, lines", func(r store.Rows) error {
			var o order
			var raw string
			if err := r.Scan(&o.id, &o.customer, &o.status, &o.total, &o.directed, &raw); err != nil {
				return err
			}
			s.orders[o.id] = &o
			var err error
			o.lines, err = parseLines(raw, o.id, "its lines")
			return err
		}},
		{"returns", "id, order_id, status, refund, lines", func(r store.Rows) error {
			var g giveBack
			var raw string
			if err := r.Scan(&g.id, &g.order, &g.status, &g.refund, &raw); err != nil {
				return err
			}
			s.returns[g.id] = &g
			var err error
			g.lines, err = parseLines(raw, g.id, "its lines")
			return err
		}},
	}
}

func (s *shop) inventoryTables() []table {
	return []table{
		{"stock", "sku, received, reserved", func(r store.Rows) error {
			var sku string
			var l level
			err := r.Scan(&sku, &l.received, &l.reserved)
			s.levels[sku] = l
			return err
		}},
		{"reservations", "order_id, status, lines", func(r store.Rows) error {
			var id, raw string
			var v reservation
			if err := r.Scan(&id, &v.status, &raw); err != nil {
				return err
			}
			var err error
			if raw != "" { // it may be stopped before it is known
				v.lines, err = parseLines(raw, id, "the lines of its reservation")
			}
			s.reservations[id] = v
			return err
		}},
		{"restocks", "return_id, order_id", func(r store.Rows) error {
			var id, of string
			err := r.Scan(&id, &of)
			s.restocks[id] = of
			return err
		}},
		{"receipts", "sku, quantity", func(r store.Rows) error {
			var sku string
			var n int64
			err := r.Scan(&sku, &n)
			s.receipts[sku] += n
			return err
		}},
	}
}

func (s *shop) paymentTables() []table {
	return []table{
		{"payments", "order_id, status, amount", func(r store.Rows) error {
			var id string
			var p payment
			err := r.Scan(&id, &p.status, &p.amount)
			s.payments[id] = p
			return err
		}},
		{"refunds", "return_id, order_id, amount, status", func(r store.Rows) error {
			var id string
			var v refund
			err := r.Scan(&id, &v.order, &v.amount, &v.status)
			s.refunds[id] = v
			return err
		}},
	}
}

func (s *shop) readSaga(r store.Rows) error {
	var v saga
	var id string
	err := r.Scan(&v.name, &id, &v.status)
	s.sagas[id] = append(s.sagas[id], v)
	return err
}

func (s *shop) readShipment(r store.Rows) error {
	var id string
	var d shipment
	var paid int64
	err := r.Scan(&id, &d.status, &paid)
	d.paid = paid != 0
	s.shipments[id] = d
	return err
}

func (s *shop) readNotification(r store.Rows) error {
	var id string
	var n notification
	err := r.Scan(&id, &n.order, &n.kind, &n.status)
	s.notifications[id] = n
	return err
}

func (s *shop) readCustomer(r store.Rows) error {
	var id string
	var spend int64
	err := r.Scan(&id, &spend)
	s.spend.add(id, spend)
	return err
}

func (s *shop) readCharge(r store.Rows) error {
	var c charge
	var void int64
	err := r.Scan(&c.key, &c.order, &c.amount, &c.refunded, &void)
	c.void = void != 0
	s.charges = append(s.charges, c)
	return err
}

func (s *shop) readChargePart(r store.Rows) error {
	var key string
	var p chargePart
	err := r.Scan(&key, &p.charge, &p.amount)
	s.chargeParts[key] = p
	return err
}

func (s *shop) readBooking(r store.Rows) error {
	var b booking
	var calls, off int64
	err := r.Scan(&b.key, &b.order, &calls, &off)
	b.booked = calls > 0 && off == 0
	s.bookings = append(s.bookings, b)
	return err
}

func (s *shop) readMail(r store.Rows) error {
	var m mail
	err := r.Scan(&m.key, &m.order)
	s.mails = append(s.mails, m)
	return err
}
