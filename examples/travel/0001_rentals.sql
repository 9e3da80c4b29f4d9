CREATE TABLE rentals (
	trip    TEXT PRIMARY KEY,
	company TEXT NOT NULL
);
