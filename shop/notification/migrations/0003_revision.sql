-- That of the customer service.
ALTER TABLE recipients ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
