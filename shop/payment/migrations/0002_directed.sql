-- 1: a mediator directs the order.
ALTER TABLE payments ADD COLUMN directed INTEGER NOT NULL DEFAULT 0;
