-- Back to a row for each.
SELECT sluice_ring_settle(i.id, NULL, NULL) FROM instances AS i;
DROP FUNCTION sluice_ring_settle(uuid, uuid[], bigint[]);
DROP TABLE event_ring;
