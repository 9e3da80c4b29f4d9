-- What was taken under each key; void keys take nothing more.
CREATE TABLE charges (
	key      TEXT NOT NULL PRIMARY KEY,
	order_id TEXT NOT NULL,
	amount   BIGINT NOT NULL,
	calls    INTEGER NOT NULL,
	refunded BIGINT NOT NULL,
	void     INTEGER NOT NULL
) /* sqlite: WITHOUT ROWID */;

-- Parts of charges that were given back.
CREATE TABLE refunds (
	key    TEXT NOT NULL PRIMARY KEY,
	charge TEXT NOT NULL,
	amount BIGINT NOT NULL,
	calls  INTEGER NOT NULL
) /* sqlite: WITHOUT ROWID */;
