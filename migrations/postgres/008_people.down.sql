-- Back to before sessions were managed by people and programs.
DROP TABLE active_sessions;
DROP TABLE tickets;
