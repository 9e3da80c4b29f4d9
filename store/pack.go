package store

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/tutti-go/tutti/event"
)

// What a row of the outbox begins with.
const (
	plainEvents  = 1 // and then messages as length-prefixed fields
	packedEvents = 2 // and then the whole of the above, as a block of S2
)

// Of rows between these, messages are alike enough for it to pay to pack them: there is
// that much less to write and to sync.
const leastPacked, mostPacked = 2 << 10, 64 << 20 // bytes

// packer makes rows of the outbox, in memory that each leaves to the next.
type packer struct{ plain, packed []byte }

// pack makes a row of messages. It is valid until the next.
func (p *packer) pack(events []Sendable) []byte {
	p.plain = appendEvents(p.plain[:0], events)
	if len(p.plain) < leastPacked || len(p.plain) > mostPacked {
		return p.plain
	}
	p.packed = slices.Grow(p.packed[:0], 1+s2.MaxEncodedLen(len(p.plain)))
	b := p.packed[:cap(p.packed)]
	b[0] = packedEvents
	return b[:1+len(s2.Encode(b[1:], p.plain))]
}

// forget gives back memory that hardly any row needs.
func (p *packer) forget() {
	const most = 8 << 20 // bytes
	if cap(p.plain)+cap(p.packed) > most {
		*p = packer{}
	}
}

func appendEvents(b []byte, events []Sendable) []byte {
	size := 1
	for _, e := range events {
		size += 32 + len(e.Topic) + len(e.Record.Key) + len(e.Record.Value) + 48*len(e.Record.Headers)
	}
	b = append(slices.Grow(b, size), plainEvents)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for _, e := range events {
		b = appendBytes(b, e.Topic)
		b = binary.AppendUvarint(b, uint64(e.Number))
		b = binary.AppendUvarint(b, uint64(e.Seq))
		b = appendBytes(b, e.Record.Key)
		b = appendBytes(b, e.Record.Value)
		b = appendHeaders(b, e.Record.Headers)
	}
	return b
}

func appendHeaders(b []byte, headers []event.Header) []byte {
	b = binary.AppendUvarint(b, uint64(len(headers)))
	for _, h := range headers {
		b = appendBytes(b, h.Key)
		b = appendBytes(b, h.Value)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

var errCorrupt = errors.New("stored messages are damaged")

// unpacker reads what appendEvents wrote; after a fault it yields zeros.
type unpacker struct {
	b   []byte
	err error
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.b, u.err = nil, errCorrupt
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) bytes() []byte {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.b, u.err = nil, errCorrupt
		return nil
	}
	v := u.b[:n:n]
	u.b = u.b[n:]
	return v
}

func (u *unpacker) headers() []event.Header {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.b, u.err = nil, errCorrupt
		return nil
	}
	headers := make([]event.Header, n)
	for i := range headers {
		headers[i] = event.Header{Key: string(u.bytes()), Value: u.bytes()}
	}
	return headers
}

// sizeOf is how many bytes a row of the outbox is unpacked, by how it begins and how many
// bytes it is stored in.
func sizeOf(begin []byte, stored int64) int64 {
	if len(begin) > 0 && begin[0] == packedEvents {
		if n, err := s2.DecodedLen(begin[1:]); err == nil {
			return int64(n)
		}
	}
	return stored
}

// unpack reads a row of the outbox.
func unpack(b []byte) ([]Sendable, error) {
	if len(b) > 0 && b[0] == packedEvents {
		n, err := s2.DecodedLen(b[1:])
		if err == nil && n <= mostPacked {
			b, err = s2.Decode(nil, b[1:])
		}
		if err != nil {
			return nil, errCorrupt
		}
	}
	if len(b) == 0 || b[0] != plainEvents {
		return nil, errCorrupt
	}
	u := &unpacker{b: b[1:]}
	n := u.uint()
	if n > uint64(len(b)) {
		return nil, errCorrupt
	}
	out := make([]Sendable, 0, n)
	for range n {
		var s Sendable
		s.Topic = string(u.bytes())
		s.Number = int32(u.uint())
		s.Seq = int64(u.uint())
		s.Record = event.Record{Key: u.bytes(), Value: u.bytes(), Headers: u.headers()}
		out = append(out, s)
	}
	if u.err == nil && len(u.b) != 0 {
		u.err = errCorrupt
	}
	return out, u.err
}
