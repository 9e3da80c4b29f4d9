-- One row for each mail that is owed or sent.
CREATE TABLE notifications (
	id       TEXT NOT NULL PRIMARY KEY,
	order_id TEXT NOT NULL,
	customer TEXT NOT NULL,
	kind     TEXT NOT NULL,
	status   TEXT NOT NULL,
	at       BIGINT NOT NULL
) /* sqlite: WITHOUT ROWID */;

CREATE INDEX notifications_order ON notifications (order_id);

-- Where customers get their mail, as the customer service says.
CREATE TABLE recipients (
	customer TEXT NOT NULL PRIMARY KEY,
	email    TEXT NOT NULL
) /* sqlite: WITHOUT ROWID */;
