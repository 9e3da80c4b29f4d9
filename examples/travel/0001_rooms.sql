CREATE TABLE hotels (
	name  TEXT PRIMARY KEY,
	rooms INTEGER NOT NULL
);
INSERT INTO hotels (name, rooms) VALUES ('Grand', 100), ('Full', 0);
CREATE TABLE bookings (
	trip  TEXT PRIMARY KEY,
	hotel TEXT NOT NULL
);
