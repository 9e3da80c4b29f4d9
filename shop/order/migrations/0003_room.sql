-- Room in each page for what an order becomes (HOT).
/* postgres: ALTER TABLE orders SET (fillfactor = 50); */
