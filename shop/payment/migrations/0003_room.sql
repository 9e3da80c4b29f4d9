-- Room in each page for what a payment becomes (HOT).
/* postgres: ALTER TABLE payments SET (fillfactor = 50); */
