CREATE TABLE scores (
	applicant TEXT PRIMARY KEY,
	score     INTEGER NOT NULL
);
INSERT INTO scores (applicant, score) VALUES ('eve', 480);
