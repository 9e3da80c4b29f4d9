-- What is known of the delivery of each order. address is JSON, empty until the
-- order is known; shipment_id is empty until a carrier has taken it.
CREATE TABLE shipments (
	order_id    TEXT NOT NULL PRIMARY KEY,
	status      TEXT NOT NULL,
	address     TEXT NOT NULL,
	paid        INTEGER NOT NULL,
	stopped     INTEGER NOT NULL,
	shipment_id TEXT NOT NULL,
	carrier     TEXT NOT NULL,
	reason      TEXT NOT NULL
) /* sqlite: WITHOUT ROWID */;
