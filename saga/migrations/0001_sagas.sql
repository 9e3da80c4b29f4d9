-- Instances that are not over: few, and changed often.
CREATE TABLE saga_live (
	n /* sqlite: INTEGER */ /* postgres: BIGINT */ PRIMARY KEY,
	saga TEXT NOT NULL,
	id TEXT NOT NULL,
	version INTEGER NOT NULL,  -- of the definition
	revision BIGINT NOT NULL,  -- of the row
	status TEXT NOT NULL,
	started BIGINT NOT NULL,   -- ms since 1970 UTC, as all times
	changed BIGINT NOT NULL,
	armed BIGINT NOT NULL,     -- when its timer is due
	reason TEXT NOT NULL,
	doc TEXT NOT NULL,         -- JSON
	history TEXT NOT NULL      -- lines of JSON
) /* postgres: WITH (fillfactor = 70) */;
CREATE UNIQUE INDEX saga_live_id ON saga_live (saga, id);
CREATE INDEX saga_live_attention ON saga_live (status, changed) WHERE status IN ('deciding', 'stuck');

-- Instances that are over, in the order in which they ended: many, and only read.
CREATE TABLE saga_done (
	n /* sqlite: INTEGER */ /* postgres: BIGINT GENERATED ALWAYS AS IDENTITY */ PRIMARY KEY,
	saga TEXT NOT NULL,
	id TEXT NOT NULL,
	version INTEGER NOT NULL,
	revision BIGINT NOT NULL,
	status TEXT NOT NULL,
	started BIGINT NOT NULL,
	changed BIGINT NOT NULL,
	reason TEXT NOT NULL,
	doc TEXT NOT NULL,
	history TEXT NOT NULL,
	parent_saga TEXT NOT NULL DEFAULT '', -- whose part it was
	parent_id TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX saga_done_id ON saga_done (saga, id);

-- What a long history began with.
CREATE TABLE saga_page (
	saga TEXT NOT NULL,
	id TEXT NOT NULL,
	page INTEGER NOT NULL,
	history TEXT NOT NULL,
	PRIMARY KEY (saga, id, page)
);

-- Events that came before the instance that waits for them.
CREATE TABLE saga_early (
	saga TEXT NOT NULL,
	id TEXT NOT NULL,
	event TEXT NOT NULL,
	at BIGINT NOT NULL,
	signal TEXT NOT NULL,      -- JSON
	PRIMARY KEY (saga, id, event)
);
CREATE INDEX saga_early_at ON saga_early (at);
