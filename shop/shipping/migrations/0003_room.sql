-- Room in each page for what a shipment becomes (HOT).
/* postgres: ALTER TABLE shipments SET (fillfactor = 50); */
