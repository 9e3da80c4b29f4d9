package verify

// direction checks the mediator's sagas against the orders that they are of, and that
// nothing was answered that is not so.
func (j *judgement) direction() {
	for id, sagas := range j.sagas {
		o := j.orders[id]
		if o == nil {
			continue // it is lost
		}
		j.check(o.directed, Directed, id, "a mediator directs it, and it was placed without one")
		j.check(len(sagas) == 1, Directed, id, "%d sagas direct it", len(sagas))
		for _, v := range sagas {
			switch v.status {
			case "completed":
				j.check(o.status == "confirmed", Directed, id, "its saga is completed, and it %s", statusOr(o.status))
			case "compensated":
				j.check(o.status == "cancelled", Directed, id, "its saga is compensated, and it %s", statusOr(o.status))
			default:
				j.check(!j.settled, Directed, id, "its saga %s", statusOr(v.status))
			}
		}
	}
	for id, o := range j.orders {
		decided := o.status == "confirmed" || o.status == "cancelled" // which only the mediator does
		if o.directed && (decided || j.settled) {
			j.check(len(j.sagas[id]) > 0, Directed, id, "it %s, and its mediator does not know it", statusOr(o.status))
		}
	}
	for id, answers := range j.trail.answers {
		for i, n := range answers {
			// Stock is released, or not to be had, also where nothing was reserved.
			if n > 0 && i != released && i != outOfStock {
				j.check(j.trail.has(id, i), Directed, id, "%s was repeated, and is not there", name(ofOrder[i]))
			}
		}
	}
}
