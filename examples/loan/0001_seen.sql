CREATE TABLE seen (
	application TEXT PRIMARY KEY,
	applicant   TEXT NOT NULL
);
