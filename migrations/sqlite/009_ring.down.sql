-- What it holds has been folded before (sqlite_migrate.c).
DROP TABLE event_ring;
