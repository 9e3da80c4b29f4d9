-- What is available of a product is received - reserved, never negative.
CREATE TABLE stock (
	sku      TEXT   NOT NULL PRIMARY KEY,
	received BIGINT NOT NULL,
	reserved BIGINT NOT NULL
) /* sqlite: WITHOUT ROWID */;

CREATE TABLE reservations (
	order_id TEXT NOT NULL PRIMARY KEY,
	status   TEXT NOT NULL, -- reserved, released, refused, stopped
	lines    TEXT NOT NULL  -- JSON: what was reserved, each SKU once
) /* sqlite: WITHOUT ROWID */;

CREATE TABLE restocks (
	return_id TEXT NOT NULL PRIMARY KEY,
	order_id  TEXT NOT NULL
) /* sqlite: WITHOUT ROWID */;

CREATE TABLE receipts (
	id       TEXT   NOT NULL PRIMARY KEY,
	sku      TEXT   NOT NULL,
	quantity BIGINT NOT NULL
) /* sqlite: WITHOUT ROWID */;
