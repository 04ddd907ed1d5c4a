-- Events that came alone, of all sessions, in the order of their commits, until they are folded into
-- session_events. As many slots as the load asks for, each written over when it is free; a slot is
-- one page of the file (src/store/sqlite_ring.h has what is in it).
CREATE TABLE event_ring (
    slot  INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
