package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/tutti-go/tutti/store"
)

// A service embeds its migrations; here they are in memory.
var exampleMigrations = fstest.MapFS{
	"0001_stock.sql": {Data: []byte(`CREATE TABLE stock (sku TEXT PRIMARY KEY, available BIGINT NOT NULL)`)},
}

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "inventory.db"), store.Config{Owner: "inventory"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if err := db.Migrate(ctx, exampleMigrations); err != nil {
		fmt.Println(err)
		return
	}

	// What a transaction wrote is there as a whole, or not at all.
	receive := func(tx *store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO stock (sku, available) VALUES ($1, $2)`, "22423", 10)
	}
	fmt.Println("receive:", db.Update(ctx, receive))
	take := func(tx *store.Tx) error {
		n, err := tx.Affected(ctx, `UPDATE stock SET available = available - $1 WHERE sku = $2 AND available >= $1`, 12, "22423")
		if err == nil && n == 0 {
			err = errors.New("only few left")
		}
		return err
	}
	fmt.Println("take:", db.Update(ctx, take))

	var available int64
	err = db.Reader().QueryRow(ctx, `SELECT available FROM stock WHERE sku = $1`, "22423").Scan(&available)
	fmt.Println("available:", available, err)
	// Output:
	// receive: <nil>
	// take: only few left
	// available: 10 <nil>
}
