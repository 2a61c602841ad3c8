-- What searches inside the database need of each passage. All of it is derived from `chunks` and
-- changes in the same transactions, so that it is of the same generation.

-- `recipe` of what a collection's rows here were made by; null, and another one, say that they are
-- to be made anew (`rag store migrate`), as those of a collection from before this step are.
ALTER TABLE collections ADD COLUMN search_recipe text COLLATE "C";

-- A passage's vector in half the bits, which nominates; what decides is the one in `chunks`. With
-- it the number of its document, for filters, and how many words its text and its heading have.
-- `rag store index` makes a graph over those of one collection, which is a part of the name and of
-- the condition of the index: entries_<collection>_<dimensions>.
CREATE TABLE entries (
    collection integer NOT NULL,
    id bigint NOT NULL,
    document bigint NOT NULL,
    text_words integer NOT NULL,
    heading_words integer NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (collection, id)
);
ALTER TABLE entries ALTER COLUMN embedding SET STORAGE EXTERNAL;
CREATE TABLE staged_entries (LIKE entries INCLUDING STORAGE, PRIMARY KEY (collection, id));

-- An inverted index in segments, as rag.store.postgres.packing and .segments describe it. A write
-- adds one, several small ones are merged into a larger one, and a passage that is removed is told
-- of in `dead` until its segment is written anew. A full-text column with a GIN index would not do:
-- its operators are not leakproof, so that under row-level security every row is read.
CREATE TABLE segments (
    collection integer NOT NULL,
    segment bigint NOT NULL,
    staged boolean NOT NULL,
    size bigint NOT NULL,
    kind smallint NOT NULL,
    text_words bigint NOT NULL,
    heading_words bigint NOT NULL,
    longest double precision NOT NULL,
    runs bytea NOT NULL,
    PRIMARY KEY (collection, segment)
);
CREATE TABLE postings (
    collection integer NOT NULL,
    stem text COLLATE "C" NOT NULL,
    segment bigint NOT NULL,
    text bytea,
    heading bytea,
    PRIMARY KEY (collection, stem, segment)
);
ALTER TABLE postings ALTER COLUMN text SET STORAGE EXTERNAL;
ALTER TABLE postings ALTER COLUMN heading SET STORAGE EXTERNAL;
CREATE INDEX postings_segment ON postings (collection, segment);
CREATE TABLE dead (
    collection integer NOT NULL,
    first bigint NOT NULL,
    after bigint NOT NULL,
    text_words bigint NOT NULL,
    heading_words bigint NOT NULL,
    PRIMARY KEY (collection, first)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['entries', 'staged_entries', 'segments', 'postings', 'dead'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_collection ON %I USING (%s)', name,
            'collection = nullif(current_setting(''chapterverse.collection'', true), '''')::integer');
    END LOOP;
END $$;
