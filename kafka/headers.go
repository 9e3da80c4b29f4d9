package kafka

import (
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tutti-go/tutti/event"
)

// The headers of a record are ours and the client's at once: a record has some fourteen,
// and to copy them took a tenth of the memory that its way takes. The types are the same
// but for their names, or this does not compile.
var _ = event.Header(kgo.RecordHeader{})

func ours(headers []kgo.RecordHeader) []event.Header {
	return unsafe.Slice((*event.Header)(unsafe.SliceData(headers)), len(headers))
}

func theirs(headers []event.Header) []kgo.RecordHeader {
	return unsafe.Slice((*kgo.RecordHeader)(unsafe.SliceData(headers)), len(headers))
}
