package store

import "testing"

func TestConditionalSQL(t *testing.T) {
	const text = "CREATE TABLE a (id TEXT PRIMARY KEY) /* sqlite: WITHOUT ROWID */;\n/* both */ CREATE INDEX i ON a /*postgres: USING hash*/ (id)"
	for name, want := range map[string]string{
		"sqlite":   "CREATE TABLE a (id TEXT PRIMARY KEY)  WITHOUT ROWID ;\n/* both */ CREATE INDEX i ON a  (id)",
		"postgres": "CREATE TABLE a (id TEXT PRIMARY KEY) ;\n/* both */ CREATE INDEX i ON a  USING hash (id)",
	} {
		if got := (dialect{name: name}).conditional(text); got != want {
			t.Errorf("%s runs %q, want %q", name, got, want)
		}
	}
}
