-- That of the catalog.
ALTER TABLE products ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
