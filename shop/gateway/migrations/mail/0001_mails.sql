-- What was sent under each key.
CREATE TABLE mails (
	key      TEXT NOT NULL PRIMARY KEY,
	order_id TEXT NOT NULL,
	calls    INTEGER NOT NULL
) /* sqlite: WITHOUT ROWID */;
