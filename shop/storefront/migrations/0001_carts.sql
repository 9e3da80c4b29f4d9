-- A copy of the catalog's products, fed by its events.
CREATE TABLE products (
	sku   TEXT   NOT NULL PRIMARY KEY,
	name  TEXT   NOT NULL,
	price BIGINT NOT NULL -- pence
);

CREATE TABLE carts (
	id           TEXT   NOT NULL PRIMARY KEY,
	touched_at   BIGINT NOT NULL,
	order_id     TEXT   NOT NULL DEFAULT '', -- set by the checkout
	request_hash TEXT   NOT NULL DEFAULT ''  -- of the checkout's request
);

CREATE INDEX carts_touched ON carts (touched_at);

CREATE TABLE cart_lines (
	cart_id  TEXT   NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
	sku      TEXT   NOT NULL,
	quantity BIGINT NOT NULL,
	price    BIGINT, -- pence, as ordered; NULL before the checkout
	added_at BIGINT NOT NULL,
	PRIMARY KEY (cart_id, sku)
);
