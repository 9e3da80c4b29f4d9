-- Room in each page for what a notification becomes (HOT).
/* postgres: ALTER TABLE notifications SET (fillfactor = 60); */
