-- Back to before sessions were managed by people and programs.
DROP TABLE active_sessions;
DROP TABLE tickets;
ALTER TABLE workflow_versions DROP COLUMN checksum;
ALTER TABLE session_details DROP COLUMN checksum;
