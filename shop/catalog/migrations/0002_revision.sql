-- Grows with each change of a product: the time in ms, or one more than before.
ALTER TABLE products ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
