-- What was sent under each key.
CREATE TABLE mails (
	key      TEXT PRIMARY KEY,
	order_id TEXT NOT NULL,
	calls    INTEGER NOT NULL
);
