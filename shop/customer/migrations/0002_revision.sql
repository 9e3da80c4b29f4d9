-- Grows with each change of a profile: the time in ms, or one more than before.
ALTER TABLE customers ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
