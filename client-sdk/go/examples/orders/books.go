package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	sluice "github.com/sluice-sidecar/sluice/client-sdk/go"
)

const schema = `
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS balances (customer TEXT PRIMARY KEY, cents INTEGER NOT NULL) STRICT;`

type order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

// books are the database of orders and balances.
type books struct{ *sql.DB }

func openBooks(ctx context.Context, file string) (*books, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("cannot create the tables in %s: %w", file, errors.Join(err, db.Close()))
	}
	return &books{db}, nil
}

// handle is the handler: its error is the verdict.
func (b *books) handle(ctx context.Context, m *sluice.Message) error {
	var o order
	if err := json.Unmarshal(m.Data(), &o); err != nil || o.ID == "" || o.Customer == "" {
		return sluice.Reject("not an order: " + string(m.Data()))
	}
	err := b.book(ctx, o)
	if isBusy(err) {
		return fmt.Errorf("order %s: %w: %w", o.ID, err, sluice.RetryAfter(500*time.Millisecond))
	}
	return err // nil acks, anything else is told and tried again
}

// book an order, once: nothing happens if it is there already.
func (b *books) book(ctx context.Context, o order) error {
	tx, err := b.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	inserted, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`, o.ID, o.Customer, o.Cents)
	if err != nil {
		return err
	}
	if rows, err := inserted.RowsAffected(); err != nil || rows == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO balances VALUES (?, ?)
		ON CONFLICT (customer) DO UPDATE SET cents = cents + excluded.cents`, o.Customer, o.Cents); err != nil {
		return err
	}
	return tx.Commit()
}

// isBusy: another process writes; SQLite itself has waited for a second.
func isBusy(err error) bool {
	var failed *sqlite.Error
	return errors.As(err, &failed) && failed.Code()&0xFF == sqlite3.SQLITE_BUSY
}
