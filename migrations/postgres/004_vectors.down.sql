-- The extension stays: others may use it.
DROP INDEX IF EXISTS memories_by_vector_384;
DROP INDEX IF EXISTS memories_by_vector_512;
DROP INDEX IF EXISTS memories_by_vector_768;
DROP INDEX IF EXISTS memories_by_vector_1024;
DROP INDEX IF EXISTS memories_by_vector_1536;
