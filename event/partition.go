package event

import "strconv"

// Partition names a partition of a topic.
type Partition struct {
	Topic  string
	Number int32
}

// String returns topic/number.
func (p Partition) String() string { return p.Topic + "/" + strconv.Itoa(int(p.Number)) }
