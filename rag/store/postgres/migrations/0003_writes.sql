-- A mark of each of the last writes, by which one is found whose commit was not acknowledged.
CREATE TABLE writes (
    collection integer NOT NULL,
    token uuid NOT NULL,
    made timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection, made, token)
);
ALTER TABLE writes ENABLE ROW LEVEL SECURITY;
ALTER TABLE writes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_collection ON writes
    USING (collection = nullif(current_setting('chapterverse.collection', true), '')::integer);
