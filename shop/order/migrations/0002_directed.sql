-- 1: a mediator directs the order.
ALTER TABLE orders ADD COLUMN directed INTEGER NOT NULL DEFAULT 0;
