package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/problem"
	"github.com/tutti-go/tutti/shop/catalogv1"
	"github.com/tutti-go/tutti/store"
)

func TestValidate(t *testing.T) {
	good := product{SKU: "85123A", Name: "WHITE HANGING HEART T-LIGHT HOLDER", Price: 255}
	for _, tc := range []struct {
		name   string
		change func(*product)
		want   problem.Kind // Internal stands for none
	}{
		{"good", func(*product) {}, problem.Internal},
		{"longest name", func(p *product) { p.Name = strings.Repeat("é", maxName) }, problem.Internal},
		{"highest price", func(p *product) { p.Price = maxPrice }, problem.Internal},
		{"no SKU", func(p *product) { p.SKU = "" }, problem.Invalid},
		{"space in SKU", func(p *product) { p.SKU = "85123 A" }, problem.Invalid},
		{"slash in SKU", func(p *product) { p.SKU = "85123/A" }, problem.Invalid},
		{"other letters in SKU", func(p *product) { p.SKU = "85123Ä" }, problem.Invalid},
		{"long SKU", func(p *product) { p.SKU = strings.Repeat("1", 129) }, problem.Invalid},
		{"no name", func(p *product) { p.Name = "" }, problem.Unacceptable},
		{"long name", func(p *product) { p.Name = strings.Repeat("é", maxName+1) }, problem.Unacceptable},
		{"NUL in name", func(p *product) { p.Name = "HEART\x00" }, problem.Unacceptable},
		{"free", func(p *product) { p.Price = 0 }, problem.Unacceptable},
		{"below nothing", func(p *product) { p.Price = -1 }, problem.Unacceptable},
		{"too dear", func(p *product) { p.Price = maxPrice + 1 }, problem.Unacceptable},
	} {
		p := good
		tc.change(&p)
		err := p.validate()
		if problem.KindOf(err) != tc.want || (err == nil) != (tc.want == problem.Internal) {
			t.Errorf("%s: validate() = %v, want kind %v", tc.name, err, tc.want)
		}
	}
}

func TestWords(t *testing.T) {
	if ws, err := words("  Red  HEART "); err != nil || !slices.Equal(ws, []string{"red", "heart"}) {
		t.Errorf("words() = %q, %v, want red and heart", ws, err)
	}
	for _, q := range []string{strings.Repeat("x", maxQuery+1), "a b c d e f g h i", "\xff", "a\x00b"} {
		if _, err := words(q); problem.KindOf(err) != problem.Invalid {
			t.Errorf("words(%q) = %v, want a bad request", q, err)
		}
	}
}

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), store.Config{
		Owner: "catalog", Unsynced: true,
		Publishes: map[event.Contract]bool{catalogv1.Listed{}.Contract(): true},
		Partition: func(string, string) (int32, error) { return 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context(), migrations); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.TakeLane(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// put lists a product in a transaction, and returns what was published.
func put(t *testing.T, s *store.Store, p product) (created bool, published []catalogv1.Listed) {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if created, err = list(t.Context(), tx, p); err != nil {
		t.Fatal(err)
	}
	c, err := tx.Commit(context.Background(), store.Books{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Events {
		var body catalogv1.Listed
		if err := json.Unmarshal(e.Record.Value, &body); err != nil {
			t.Fatal(err)
		}
		published = append(published, body)
	}
	return created, published
}

func TestListPublishesOnlyNews(t *testing.T) {
	s := open(t)
	revision := int64(0)
	for i, tc := range []struct {
		p       product
		created bool
		want    []catalogv1.Listed
	}{
		{product{"A1", "Heart", 255}, true, []catalogv1.Listed{{SKU: "A1", Name: "Heart", Price: 255}}},
		{product{"A1", "Heart", 255}, false, nil},
		{product{"A1", "Heart", 295}, false, []catalogv1.Listed{{SKU: "A1", Name: "Heart", Price: 295}}},
		{product{"A1", "Red heart", 295}, false, []catalogv1.Listed{{SKU: "A1", Name: "Red heart", Price: 295}}},
		{product{"A2", "Heart", 255}, true, []catalogv1.Listed{{SKU: "A2", Name: "Heart", Price: 255}}},
	} {
		created, published := put(t, s, tc.p)
		for i, p := range published { // also within a millisecond
			if tc.p.SKU == "A1" && p.Revision <= revision {
				t.Errorf("revision %d of %v follows %d", p.Revision, tc.p, revision)
			}
			revision, published[i].Revision = p.Revision, 0
		}
		if created != tc.created || !slices.Equal(published, tc.want) {
			t.Errorf("%d: list(%v) = %v and published %v, want %v and %v", i, tc.p, created, published, tc.created, tc.want)
		}
	}
	if p, found, err := find(t.Context(), s.Reader(), "A1"); err != nil || !found || p != (product{"A1", "Red heart", 295}) {
		t.Errorf("find(A1) = %v, %v, %v, want the last listing", p, found, err)
	}
	if _, found, err := find(t.Context(), s.Reader(), "A3"); err != nil || found {
		t.Errorf("find(A3) = %v, %v, want nothing", found, err)
	}
}

func TestBrowsePages(t *testing.T) {
	s := open(t)
	for i := range 25 {
		put(t, s, product{fmt.Sprintf("P%02d", i), fmt.Sprintf("Mug no. %d, 100%%_cotton", i), 100})
	}
	var got []string
	after := ""
	for pages := 1; ; pages++ {
		pg, err := browse(t.Context(), s.Reader(), after, 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pg.Products {
			got = append(got, p.SKU)
		}
		if after = pg.Next; after == "" {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
	}
	if len(got) != 25 || !slices.IsSorted(got) || len(slices.Compact(got)) != 25 {
		t.Errorf("pages have %q, want 25 products, each once, in order", got)
	}
}

func TestBrowseFinds(t *testing.T) {
	s := open(t)
	put(t, s, product{"85123A", "WHITE Hanging Heart", 255})
	put(t, s, product{"22086", "Paper chain kit 50's CHRISTMAS", 295})
	put(t, s, product{"C_1", "100% Café mug", 595})
	for q, want := range map[string]string{
		"heart":      "85123A",
		"HEART whit": "85123A",
		"85123a":     "85123A",
		"50's":       "22086",
		"100%":       "C_1",
		"c_1":        "C_1",
		"CAFÉ":       "C_1",
		"%":          "C_1",
		`\`:          "",
		"heart mug":  "",
	} {
		ws, err := words(q)
		if err != nil {
			t.Fatal(err)
		}
		pg, err := browse(t.Context(), s.Reader(), "", 10, ws)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range pg.Products {
			got = append(got, p.SKU)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("browse(%q) = %q, want %q", q, got, want)
		}
		if pg.Products == nil || pg.Next != "" {
			t.Errorf("browse(%q) = %#v, want an array and no next page", q, pg)
		}
	}
}
