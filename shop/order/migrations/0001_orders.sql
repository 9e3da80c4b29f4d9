-- What is read at each event comes first, long text last. Times are milliseconds
-- since 1970 UTC, money is pence.
CREATE TABLE orders (
	id           TEXT    NOT NULL PRIMARY KEY,
	customer     TEXT    NOT NULL,
	status       TEXT    NOT NULL,           -- placed, confirmed, cancelling, cancelled
	freed        INTEGER NOT NULL DEFAULT 0, -- 1: its stock has been released
	total        BIGINT  NOT NULL,
	placed_at    BIGINT  NOT NULL,
	deadline     BIGINT  NOT NULL,
	reason       TEXT    NOT NULL DEFAULT '',
	request_hash TEXT    NOT NULL,
	lines        TEXT    NOT NULL,           -- JSON
	history      TEXT    NOT NULL            -- a JSON object a line, only appended to
);

CREATE INDEX orders_customer ON orders (customer, placed_at, id);

CREATE TABLE returns (
	id           TEXT    NOT NULL PRIMARY KEY,
	order_id     TEXT    NOT NULL,
	status       TEXT    NOT NULL,           -- requested, settled
	refunded     INTEGER NOT NULL DEFAULT 0,
	restocked    INTEGER NOT NULL DEFAULT 0,
	refund       BIGINT  NOT NULL,
	created_at   BIGINT  NOT NULL,
	request_hash TEXT    NOT NULL,
	lines        TEXT    NOT NULL            -- JSON, at the prices of the order
);

CREATE INDEX returns_order ON returns (order_id, created_at);
