-- The alarm that an instance belongs to; 0: it has a timer of its own.
ALTER TABLE saga_live ADD COLUMN alarm BIGINT NOT NULL DEFAULT 0;
CREATE INDEX saga_live_alarm ON saga_live (alarm, armed) WHERE alarm > 0;
