package verify

// once checks that nothing happened twice, and, once all is settled, that it did
// happen.
func (j *judgement) once() {
	charged, booked, mailed := map[string]int{}, map[string]int{}, map[string]int{}
	for _, c := range j.charges {
		if c.amount > 0 {
			charged[c.order]++
		}
	}
	for _, b := range j.bookings {
		booked[b.order]++
	}
	for _, m := range j.mails {
		mailed[m.order]++
		_, known := j.notifications[m.key]
		j.check(known, Once, m.order, "a mail was sent under %s, and notification does not know it", m.key)
	}
	j.atMostOne(charged, "charged")
	j.atMostOne(booked, "booked")
	j.atMostOne(mailed, "written about")
	told := map[string]int{}
	for id, n := range j.notifications {
		told[n.order]++
		j.check(n.status != "sent" || mailed[n.order] > 0, Once, id, "it is sent, and the mail provider does not know it")
		o := j.orders[n.order]
		j.check(o == nil || o.status == n.kind, Once, id, "it says that the order is %s", n.kind)
	}
	j.atMostOne(told, "told of")
	if j.settled {
		for id := range j.orders {
			j.check(told[id] == 1, Once, id, "its customer was told %d times how it ended", told[id])
		}
	}
	for id, t := range j.trail.orders {
		for i, n := range t {
			j.check(n <= 1, Once, id, "%s was published %d times", name(ofOrder[i]), n)
		}
	}
	for id, r := range j.trail.returns {
		for i, n := range r.counts {
			j.check(n <= 1, Once, id, "%s was published %d times", name(ofReturn[i]), n)
		}
	}
}

func (j *judgement) atMostOne(counts map[string]int, what string) {
	for id, n := range counts {
		j.check(n <= 1, Once, id, "it was %s %d times", what, n)
	}
}
