CREATE TABLE products (
	sku    TEXT   NOT NULL PRIMARY KEY,
	name   TEXT   NOT NULL,
	price  BIGINT NOT NULL,           -- pence
	search TEXT   NOT NULL DEFAULT '' -- the name and SKU as searches see them
);
