CREATE TABLE applications (
	id     TEXT PRIMARY KEY,
	status TEXT NOT NULL,
	why    TEXT NOT NULL
);
