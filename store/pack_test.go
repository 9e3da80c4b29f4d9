package store

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tutti-go/tutti/event"
)

func sendables(n int) []Sendable {
	var all []Sendable
	for i := range n {
		all = append(all, Sendable{event.Partition{Topic: "orders", Number: int32(i % 3)}, int64(i), event.Record{
			Key: fmt.Append(nil, "o", i), Value: fmt.Appendf(nil, `{"id":"o%d"}`, i),
			Headers: []event.Header{{Key: "ce_id", Value: fmt.Append(nil, i)}, {Key: "lane", Value: []byte("orders.1")}},
		}})
	}
	return all
}

// Rows of few messages are stored as they are, and of many compressed. Either is read as
// it was written, in memory that was used before.
func TestPack(t *testing.T) {
	var p packer
	for _, n := range []int{1, 1000, 0, 3, 2000, 1} {
		want := sendables(n)
		row := bytes.Clone(p.pack(want))
		got, err := unpack(row)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d messages are read otherwise: %v", n, got)
		}
		if plain := len(appendEvents(nil, want)); n >= 1000 && len(row)*2 > plain {
			t.Errorf("%d messages take %d bytes, want less than half of %d", n, len(row), plain)
		}
	}
}

func TestUnpackDamaged(t *testing.T) {
	var p packer
	row := p.pack(sendables(100))
	for i := range row {
		if _, err := unpack(row[:i]); err == nil {
			t.Errorf("the first %d bytes of %d are read without an error", i, len(row))
		}
	}
	if _, err := unpack([]byte{packedEvents, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}); err == nil { // 4 GB
		t.Error("a row that says it were huge is read without an error")
	}
}

func FuzzUnpack(f *testing.F) {
	var p packer
	f.Add(p.pack(sendables(1)))
	f.Add(bytes.Clone(p.pack(sendables(100))))
	f.Fuzz(func(t *testing.T, row []byte) {
		all, err := unpack(row)
		if err != nil {
			return
		}
		var p packer
		again, err := unpack(p.pack(all))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(all) {
			t.Errorf("written again it is another: %v, error %v", again, err)
		}
	})
}
