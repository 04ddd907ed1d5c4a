-- Back to a row for each.
SELECT sluice_ring_settle(i.id, NULL) FROM instances AS i;
DROP FUNCTION sluice_ring_settle(uuid, uuid[]);
DROP TABLE event_ring;
