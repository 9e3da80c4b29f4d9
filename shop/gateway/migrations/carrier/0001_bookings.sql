-- What was booked under each key.
CREATE TABLE bookings (
	key        TEXT NOT NULL PRIMARY KEY,
	order_id   TEXT NOT NULL,
	calls      INTEGER NOT NULL,
	called_off INTEGER NOT NULL
) /* sqlite: WITHOUT ROWID */;
