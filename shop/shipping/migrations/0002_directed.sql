-- 1: a mediator directs the order.
ALTER TABLE shipments ADD COLUMN directed INTEGER NOT NULL DEFAULT 0;
