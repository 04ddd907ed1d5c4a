-- Back to before sessions were managed by people and programs.
DROP TABLE active_sessions;
DROP TABLE tickets;
ALTER TABLE workflow_versions DROP COLUMN checksum;
ALTER TABLE session_details DROP COLUMN checksum;
ALTER TABLE schedules DROP COLUMN overlap;
ALTER TABLE schedules DROP COLUMN last_error;
ALTER TABLE schedules DROP COLUMN last_error_at;
ALTER TABLE audit_log DROP COLUMN actor;
ALTER TABLE audit_log DROP COLUMN role;
DROP INDEX webhook_deliveries_by_time;
ALTER TABLE webhook_deliveries DROP COLUMN duration_ms;
ALTER TABLE webhook_deliveries DROP COLUMN type;
DROP TABLE webhook_cursors;
ALTER TABLE webhooks DROP COLUMN scan_from;
ALTER TABLE webhooks DROP COLUMN disabled_reason;
ALTER TABLE webhooks DROP COLUMN name;
DROP FUNCTION sluice_metadata_has(text, text, text);
DROP FUNCTION sluice_tags_have(text, text);
