-- What was booked under each key.
CREATE TABLE bookings (
	key        TEXT PRIMARY KEY,
	order_id   TEXT NOT NULL,
	calls      INTEGER NOT NULL,
	called_off INTEGER NOT NULL
);
