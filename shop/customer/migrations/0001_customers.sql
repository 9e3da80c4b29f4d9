CREATE TABLE customers (
	id      TEXT   NOT NULL PRIMARY KEY,
	name    TEXT   NOT NULL, -- empty: has ordered, and never registered
	email   TEXT   NOT NULL,
	country TEXT   NOT NULL,
	spend   BIGINT NOT NULL  -- pence: confirmed orders less what was returned
) /* sqlite: WITHOUT ROWID */;
