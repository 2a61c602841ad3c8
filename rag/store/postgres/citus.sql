-- The tables of a database spread over servers by collection, with Citus (12 or later). Not run by
-- this project's tests, which hold the same statements to a partition by hash over three servers.
--
-- To be run once, by the owner of the tables, after `rag store migrate` and before anything is
-- stored. Every table leads its primary key with the collection and every statement names it, so
-- that each goes to the one server that has the collection; rows of a collection lie together.
-- `collections`, `migrations` and `writes` stay on the coordinator.
--
-- NOT YET for a collection that is read while it is written to: the row that binds its others is
-- in `collections`, and the coordinator has no snapshot in common with the server that has them, so
-- that a read may meet rows of another generation (the tests show it). That row has to lie with the
-- others first.

CREATE EXTENSION IF NOT EXISTS citus;

-- Each transaction says by SET LOCAL which collection it is confined to; row-level security on the
-- other servers has to be told.
ALTER SYSTEM SET citus.propagate_set_commands = 'local';
SELECT pg_reload_conf();

SET search_path = chapterverse, public;

SELECT create_distributed_table('documents', 'collection', shard_count => 32);
SELECT create_distributed_table('bodies', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('chunks', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('changes', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('versions', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('staged_documents', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('staged_chunks', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('entries', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('staged_entries', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('segments', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('postings', 'collection', colocate_with => 'documents');
SELECT create_distributed_table('dead', 'collection', colocate_with => 'documents');
