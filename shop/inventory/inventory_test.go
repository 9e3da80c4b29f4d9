package inventory

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/inventoryv1"
)

func TestBySKU(t *testing.T) {
	in := []line{{"B", 1}, {"A", 2}, {"B", 3}, {"A", 4}}
	got, want := bySKU(in), []line{{"A", 6}, {"B", 4}}
	if !slices.Equal(got, want) {
		t.Errorf("bySKU(%v) = %v, want %v", in, got, want)
	}
	if in[0] != (line{"B", 1}) || bySKU(nil) != nil {
		t.Errorf("bySKU() changed its argument to %v", in)
	}
}

func TestReserve(t *testing.T) {
	for _, c := range []struct {
		name    string
		st      status
		lines   []line
		want    status
		missing []inventoryv1.Shortage
		after   int64 // reserved of A
	}{
		{"enough", none, []line{{"A", 3}, {"B", 1}}, reserved, nil, 5},
		{"exactly enough", none, []line{{"A", 8}}, reserved, nil, 10},
		{"too little", none, []line{{"A", 9}}, refused, []inventoryv1.Shortage{{SKU: "A", Wanted: 9, Available: 8}}, 2},
		{"one of two", none, []line{{"A", 1}, {"B", 2}, {"C", 1}}, refused,
			[]inventoryv1.Shortage{{SKU: "B", Wanted: 2, Available: 1}, {SKU: "C", Wanted: 1}}, 2},
		{"again", reserved, []line{{"A", 3}}, reserved, nil, 2},
		{"after the refusal", refused, []line{{"A", 3}}, refused, nil, 2},
		{"after the release", released, []line{{"A", 3}}, released, nil, 2},
		{"after the payment failed", stopped, []line{{"A", 3}}, stopped, nil, 2},
	} {
		s := shelf{"A": {"A", 10, 2}, "B": {"B", 1, 0}}
		got, missing := c.st.reserve(s, c.lines)
		if got != c.want || !reflect.DeepEqual(missing, c.missing) || s["A"].Reserved != c.after {
			t.Errorf("%s: reserve() = %s, %v with %d reserved, want %s, %v with %d", c.name, got, missing, s["A"].Reserved, c.want, c.missing, c.after)
		}
	}
}

func TestUndo(t *testing.T) {
	for st, want := range map[status]status{none: stopped, reserved: released, released: released, refused: refused, stopped: stopped} {
		if got := st.undo(); got != want {
			t.Errorf("%q.undo() = %s, want %s", st, got, want)
		}
	}
}

func TestRestock(t *testing.T) {
	for _, st := range []status{none, released, refused, stopped} {
		if err := st.restock("o1"); err == nil {
			t.Errorf("%q.restock() = nil, want an error", st)
		}
	}
	if err := reserved.restock("o1"); err != nil {
		t.Errorf("reserved.restock() = %v, want nil", err)
	}
}

func TestReceipt(t *testing.T) {
	for quantity, ok := range map[int64]bool{1: true, maxReceipt: true, 0: false, -1: false, maxReceipt + 1: false} {
		err := receipt{"r1", "A", quantity}.validate()
		if (err == nil) != ok || !ok && problem.KindOf(err) != problem.Unacceptable {
			t.Errorf("validate() of %d units = %v", quantity, err)
		}
	}
	r := receipt{"r1", "A", 1}
	if err := r.fits(level{"A", maxReceived + 1, 0}); problem.KindOf(err) != problem.Clash {
		t.Errorf("fits() over the limit = %v, want a conflict", err)
	}
	if err := r.repeats(receipt{"r1", "A", 2}); problem.KindOf(err) != problem.Unacceptable {
		t.Errorf("repeats() of another request = %v, want unacceptable", err)
	}
}

// model is stock by the decisions alone, without a database.
type model struct {
	shelf  shelf
	claims map[string]status
	kept   map[string][]line // what is reserved for an order
}

func (m *model) placed(id string, lines []line) {
	st, _ := m.claims[id].reserve(m.shelf, lines)
	if st == reserved && m.claims[id] == none {
		m.kept[id] = lines
	}
	m.claims[id] = st
}

func (m *model) undone(id string) {
	was := m.claims[id]
	if m.claims[id] = was.undo(); m.claims[id] == released && was == reserved {
		for _, l := range m.kept[id] {
			have := m.shelf[l.SKU]
			have.Reserved -= l.Quantity
			m.shelf[l.SKU] = have
		}
		delete(m.kept, id)
	}
}

// In whatever order and however often the events of orders come, what is reserved
// is what live orders hold, never more than was received, and an order that was
// undone holds nothing.
func TestStockIsRightInEveryOrder(t *testing.T) {
	for seed := range uint64(20_000) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		m := model{shelf{"A": {"A", 6, 0}, "B": {"B", 4, 0}}, map[string]status{}, map[string][]line{}}
		undone := map[string]bool{}
		var events []func()
		for i := range 4 {
			id := fmt.Sprint("o", i)
			lines := bySKU([]line{{"A", 1 + rnd.Int64N(3)}, {"B", 1 + rnd.Int64N(3)}, {"A", 1}})
			for range 1 + rnd.IntN(2) {
				events = append(events, func() { m.placed(id, lines) })
			}
			for range rnd.IntN(3) {
				undone[id] = true
				events = append(events, func() { m.undone(id) })
			}
		}
		rnd.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for _, ev := range events {
			ev()
			want := map[string]int64{}
			for _, lines := range m.kept {
				for _, l := range lines {
					want[l.SKU] += l.Quantity
				}
			}
			for sku, l := range m.shelf {
				if l.Reserved != want[sku] || l.available() < 0 || l.Reserved < 0 {
					t.Fatalf("seed %d: %s is %+v, and orders hold %d", seed, sku, l, want[sku])
				}
			}
		}
		for id := range undone {
			if st := m.claims[id]; st == reserved || st == none {
				t.Fatalf("seed %d: order %s was undone, and is %q", seed, id, st)
			}
		}
	}
}
