CREATE TABLE story (
	trip TEXT NOT NULL,
	n    INTEGER NOT NULL,
	at   BIGINT NOT NULL, -- ms
	type TEXT NOT NULL,
	line TEXT NOT NULL,
	PRIMARY KEY (trip, n)
);
