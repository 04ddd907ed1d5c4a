-- Nearest neighbours by pgvector, where the extension can be had; elsewhere memories are searched
-- exactly. HNSW wants one number of dimensions for each index: those of common embedding models.
DO $$
DECLARE
    n int;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
        RETURN;
    END IF;
    CREATE EXTENSION IF NOT EXISTS vector;
    FOREACH n IN ARRAY ARRAY[384, 512, 768, 1024, 1536] LOOP
        EXECUTE format('CREATE INDEX %I ON memories USING hnsw'
            ' ((embedding::vector(%s)) vector_cosine_ops) WHERE dimensions = %s',
            'memories_by_vector_' || n, n, n);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'sluice: this user may not create the extension vector: memories are searched exactly';
END
$$;
