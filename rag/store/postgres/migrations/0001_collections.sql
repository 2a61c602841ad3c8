-- The truth: every collection's documents, passages and vectors, as rag.store.schema describes the
-- tables, which all lead with the number of their collection. What a row must be is told by the
-- checksums in it and above it; so there are no foreign keys, which would have to be looked up for
-- each passage that is added.

CREATE EXTENSION IF NOT EXISTS vector;

-- `content` and `checksum` are the row that binds all others of a collection. A deleted collection
-- keeps its rows under its number, while its name is free again.
CREATE TABLE collections (
    collection integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    recipe text COLLATE "C",
    created timestamptz NOT NULL DEFAULT now(),
    updated timestamptz NOT NULL DEFAULT now(),
    deleted timestamptz,
    content text COLLATE "C" NOT NULL,
    checksum bytea NOT NULL
);
CREATE UNIQUE INDEX collections_name ON collections (name) WHERE deleted IS NULL;

CREATE TABLE documents (
    collection integer NOT NULL,
    number bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    uri text COLLATE "C" NOT NULL,
    title text COLLATE "C" NOT NULL,
    media_type text COLLATE "C" NOT NULL,
    published text COLLATE "C",
    sha256 text COLLATE "C" NOT NULL,
    metadata text COLLATE "C" NOT NULL,
    characters bigint NOT NULL,
    generation bigint NOT NULL,
    body_sum bytea NOT NULL,
    first_chunk bigint NOT NULL,
    chunks bigint NOT NULL,
    chunks_sum bytea NOT NULL,
    checksum bytea NOT NULL,
    -- What searches for a title or uri are compared with.
    folded_uri text COLLATE "C" NOT NULL,
    folded_title text COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, id),
    UNIQUE (collection, number),
    UNIQUE (collection, uri)
);
CREATE INDEX documents_chunks ON documents (collection, first_chunk);

CREATE TABLE bodies (
    collection integer NOT NULL,
    number bigint NOT NULL,
    sections text COLLATE "C" NOT NULL,
    pages text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, number)
);

CREATE TABLE chunks (
    collection integer NOT NULL,
    id bigint NOT NULL,
    document text COLLATE "C" NOT NULL,
    start_ bigint NOT NULL,
    end_ bigint NOT NULL,
    page bigint,
    tokens bigint NOT NULL,
    section text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    vector bytea NOT NULL,
    checksum bytea NOT NULL,
    PRIMARY KEY (collection, id)
);
-- Numbers that look random do not get smaller; beside the row they keep it short to read.
ALTER TABLE chunks ALTER COLUMN vector SET STORAGE EXTERNAL;

CREATE TABLE changes (
    collection integer NOT NULL,
    generation bigint NOT NULL,
    first_added bigint NOT NULL,
    after_added bigint NOT NULL,
    removed text COLLATE "C" NOT NULL,
    checksum bytea NOT NULL,
    PRIMARY KEY (collection, generation)
);

CREATE TABLE versions (
    collection integer NOT NULL,
    document text COLLATE "C" NOT NULL,
    sha256 text COLLATE "C" NOT NULL,
    since bigint NOT NULL,
    until bigint NOT NULL,
    checksum bytea NOT NULL,
    PRIMARY KEY (collection, document, sha256, since)
);

CREATE TABLE staged_documents (
    collection integer NOT NULL,
    document text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    first_chunk bigint NOT NULL,
    chunks bigint NOT NULL,
    chunks_sum bytea NOT NULL,
    checksum bytea NOT NULL,
    PRIMARY KEY (collection, document)
);

CREATE TABLE staged_chunks (LIKE chunks INCLUDING STORAGE, PRIMARY KEY (collection, id));

-- A second wall behind the queries, each of which names its collection: a transaction sees and
-- changes the rows of the one collection that it has set, even where a query forgot to. Superusers
-- and roles with BYPASSRLS are not held back.
DO $$
DECLARE
    name text;
    own CONSTANT text :=
        'collection = nullif(current_setting(''chapterverse.collection'', true), '''')::integer';
BEGIN
    FOREACH name IN ARRAY ARRAY['documents', 'bodies', 'chunks', 'changes', 'versions',
                                'staged_documents', 'staged_chunks'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_collection ON %I USING (%s)', name, own);
    END LOOP;
    -- Which collections there are is seen by all; a collection's own row is changed by none else.
    ALTER TABLE collections ENABLE ROW LEVEL SECURITY;
    ALTER TABLE collections FORCE ROW LEVEL SECURITY;
    CREATE POLICY seen_by_all ON collections FOR SELECT USING (true);
    CREATE POLICY made_by_all ON collections FOR INSERT WITH CHECK (true);
    EXECUTE format('CREATE POLICY own_collection ON collections FOR UPDATE USING (%s)', own);
END $$;
