-- Since when an instance has needed a person, if it does. The index is on this and not on
-- what each message changes: PostgreSQL can then leave the indexes alone, and reuse the
-- room in a page (HOT, https://www.postgresql.org/docs/current/storage-hot.html).
ALTER TABLE saga_live ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
UPDATE saga_live SET since = changed WHERE status IN ('deciding', 'stuck');
DROP INDEX saga_live_attention;
CREATE INDEX saga_live_attention ON saga_live (status, since) WHERE status IN ('deciding', 'stuck');
/* postgres: ALTER TABLE saga_live SET (fillfactor = 50); */
