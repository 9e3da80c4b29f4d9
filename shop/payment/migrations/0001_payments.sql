-- What is known of the payment of each order. amount is 0 until the order is
-- known, payment_id is empty until the gateway has charged.
CREATE TABLE payments (
	order_id   TEXT NOT NULL PRIMARY KEY,
	status     TEXT NOT NULL,
	amount     BIGINT NOT NULL,
	token      TEXT NOT NULL,
	payment_id TEXT NOT NULL,
	stopped    INTEGER NOT NULL,
	reserved   INTEGER NOT NULL,
	reason     TEXT NOT NULL
) /* sqlite: WITHOUT ROWID */;

-- Parts of payments that are given back for returned goods.
CREATE TABLE refunds (
	return_id TEXT NOT NULL PRIMARY KEY,
	order_id  TEXT NOT NULL,
	amount    BIGINT NOT NULL,
	status    TEXT NOT NULL
) /* sqlite: WITHOUT ROWID */;

CREATE INDEX refunds_order ON refunds (order_id);
