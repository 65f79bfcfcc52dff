-- Tells listening workers that a queue has ready jobs. A hint: polling alone is correct.
-- params: $1 channel text, $2 payload text (the queue)
-- returns: nothing of use
select pg_notify($1, $2)
