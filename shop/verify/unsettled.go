package verify

import "github.com/tutti-go/tutti/store"

// unsettled counts what is under way.
func (s *shop) unsettled() Unsettled {
	var u Unsettled
	for _, o := range s.orders {
		if o.status != "confirmed" && o.status != "cancelled" {
			u.Orders++
		}
	}
	for _, g := range s.returns {
		if g.status != "settled" {
			u.Returns++
		}
	}
	for _, n := range s.notifications {
		if n.status == "queued" {
			u.Mails++
		}
	}
	for _, sagas := range s.sagas {
		for _, v := range sagas {
			if v.status != "completed" && v.status != "compensated" {
				u.Sagas++
			}
		}
	}
	for _, b := range s.services {
		u.Jobs += b.jobs
		u.Parked += len(b.parked)
		u.Messages += s.unread(b)
	}
	return u
}

// unread is how many messages a service has yet to consume, of the topics that it
// reads: what all lanes have numbered, minus what it has seen of them.
func (s *shop) unread(reader *books) int {
	n := int64(0)
	for _, writer := range s.services {
		for lane, last := range writer.numbered {
			if reader.reads(lane.Topic) {
				n += max(last-reader.seen[lane.Partition][lane.Lane], 0)
			}
		}
	}
	return int(n)
}

// lanes is how far each lane of a service has numbered.
func (s *shop) lanes() map[store.LanePartition]int64 {
	all := map[store.LanePartition]int64{}
	for _, b := range s.services {
		for lane, last := range b.numbered {
			all[lane] = last
		}
	}
	return all
}
