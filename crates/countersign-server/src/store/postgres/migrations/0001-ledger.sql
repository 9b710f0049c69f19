-- The ledger and what stands beside it. Once released, never changed: a change is another file.
--
-- Text is compared byte by byte (COLLATE "C"), so that every store lists in the same order. Leaves, details and documents are kept as
-- they are and outside the row when they are long (STORAGE EXTERNAL): they hardly compress, and compressing cost more than it saved.

CREATE TABLE entries (
    idx bigint PRIMARY KEY,
    leaf_hash bytea NOT NULL,
    subject text COLLATE "C" NOT NULL,
    subject_seq bigint NOT NULL,
    leaf bytea NOT NULL,
    -- The fence against two entries with one number; with the index it also counts subjects without touching a leaf.
    UNIQUE (subject, subject_seq) INCLUDE (idx)
);
ALTER TABLE entries ALTER COLUMN leaf SET STORAGE EXTERNAL;

CREATE TABLE details (
    idx bigint PRIMARY KEY,
    redacted_by bigint,
    salt bytea,
    body bytea,
    CHECK ((redacted_by IS NULL) = (salt IS NOT NULL) AND (redacted_by IS NULL) = (body IS NOT NULL))
);
ALTER TABLE details ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE blobs (sha256 bytea PRIMARY KEY, body bytea NOT NULL);

CREATE TABLE nodes (level smallint NOT NULL, idx bigint NOT NULL, hash bytea NOT NULL, PRIMARY KEY (level, idx));

-- One row, rewritten by every append: the room left on its page keeps the new version on it, beside no index.
CREATE TABLE head (
    id smallint PRIMARY KEY CHECK (id = 0),
    size bigint NOT NULL,
    time_ms bigint NOT NULL,
    frontier bytea NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
INSERT INTO head (id, size, time_ms, frontier) VALUES (0, 0, 0, '');

CREATE TABLE records (
    kind text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 80);
CREATE INDEX records_by_status ON records (kind, status, id);

CREATE TABLE idempotency (
    actor text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body_sha256 bytea NOT NULL,
    first_idx bigint NOT NULL,
    entry_count bigint NOT NULL,
    time_ms bigint NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_by_time ON idempotency (time_ms);

CREATE TABLE snapshot (
    id smallint PRIMARY KEY CHECK (id = 0),
    size bigint NOT NULL,
    root bytea NOT NULL,
    state bytea NOT NULL
);

CREATE TABLE checkpoints (size bigint PRIMARY KEY, note text NOT NULL);

-- Sealed secrets: insert-if-absent by rotation and "one current value" are indexes here, not only code there.
CREATE TABLE secrets (
    name text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    stage text COLLATE "C" NOT NULL,
    rotation text COLLATE "C",
    nonce bytea NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (name, environment, version)
);
CREATE UNIQUE INDEX secrets_by_rotation ON secrets (name, environment, rotation) WHERE rotation IS NOT NULL;
CREATE UNIQUE INDEX secrets_current ON secrets (name, environment) WHERE stage = 'current';

-- Appends a batch if the log is at `expected`, and gives back the size it was found at: `expected` if the batch is written.
--
-- A function, because all of it is then one statement: one round trip, one commit, and no way to stop in the middle. The head's row is
-- moved first; whoever moves it holds it until the commit, and what follows is read after that, each statement as of its own moment
-- (READ COMMITTED), so it sees all that was committed before. Whatever contradicts the log raises CS001, which undoes everything.
CREATE FUNCTION append(
    expected bigint, new_size bigint, new_time_ms bigint, new_frontier bytea,
    leaf_hashes bytea[], subjects text[], seqs bigint[], leaves bytea[],
    detailed bigint[], salts bytea[], bodies bytea[],
    redacted bigint[], redacted_bys bigint[],
    node_levels smallint[], node_idxs bigint[], node_hashes bytea[],
    blob_sha256s bytea[], blob_bodies bytea[],
    record_kinds text[], record_ids text[], record_seqs bigint[], record_statuses text[], record_bodies bytea[],
    actors text[], keys text[], body_sha256s bytea[], firsts bigint[], counts bigint[], times_ms bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_size bigint;
    changed bigint;
    odd_subject text;
    odd_seq bigint;
BEGIN
    UPDATE countersign.head SET size = new_size, time_ms = new_time_ms, frontier = new_frontier
        WHERE id = 0 AND size = expected;
    IF NOT FOUND THEN
        SELECT size INTO found_size FROM countersign.head WHERE id = 0;
        IF found_size IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'CS001', MESSAGE = 'the stored head is gone';
        END IF;
        RETURN found_size;
    END IF;

    INSERT INTO countersign.entries (idx, leaf_hash, subject, subject_seq, leaf)
        SELECT expected + n.place - 1, n.leaf_hash, n.subject, n.seq, n.leaf
        FROM unnest(leaf_hashes, subjects, seqs, leaves) WITH ORDINALITY AS n (leaf_hash, subject, seq, leaf, place);
    -- The entry before it must exist, unless it is the subject's first: a gap cannot be written. A sub-select, so that each is looked up.
    SELECT n.subject, n.seq INTO odd_subject, odd_seq FROM unnest(subjects, seqs) AS n (subject, seq)
        WHERE n.seq <> 1 AND (
            SELECT before.idx FROM countersign.entries AS before
            WHERE before.subject = n.subject COLLATE "C" AND before.subject_seq = n.seq - 1
        ) IS NULL
        LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'CS001',
            MESSAGE = format('entry %s of `%s` does not follow the subject''s last entry', odd_seq, odd_subject);
    END IF;

    IF cardinality(detailed) > 0 THEN
        INSERT INTO countersign.details (idx, salt, body)
            SELECT n.idx, n.salt, n.body FROM unnest(detailed, salts, bodies) AS n (idx, salt, body);
    END IF;
    IF cardinality(redacted) > 0 THEN
        UPDATE countersign.details AS d SET redacted_by = n.redacted_by, salt = NULL, body = NULL
            FROM unnest(redacted, redacted_bys) AS n (idx, redacted_by)
            WHERE d.idx = n.idx AND d.redacted_by IS NULL;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(redacted) THEN
            RAISE EXCEPTION USING ERRCODE = 'CS001',
                MESSAGE = format('there are no details to delete beside all of the entries %s', redacted);
        END IF;
    END IF;
    IF cardinality(node_levels) > 0 THEN
        INSERT INTO countersign.nodes (level, idx, hash)
            SELECT n.level, n.idx, n.hash FROM unnest(node_levels, node_idxs, node_hashes) AS n (level, idx, hash);
    END IF;
    IF cardinality(blob_sha256s) > 0 THEN
        INSERT INTO countersign.blobs (sha256, body)
            SELECT n.sha256, n.body FROM unnest(blob_sha256s, blob_bodies) AS n (sha256, body)
            ON CONFLICT (sha256) DO NOTHING;
    END IF;
    IF cardinality(record_kinds) > 0 THEN
        INSERT INTO countersign.records AS r (kind, id, seq, status, body)
            SELECT n.kind, n.id, n.seq, n.status, n.body
            FROM unnest(record_kinds, record_ids, record_seqs, record_statuses, record_bodies)
                AS n (kind, id, seq, status, body)
            ON CONFLICT (kind, id)
                DO UPDATE SET seq = excluded.seq, status = excluded.status, body = excluded.body;
    END IF;
    IF cardinality(actors) > 0 THEN
        INSERT INTO countersign.idempotency (actor, key, body_sha256, first_idx, entry_count, time_ms)
            SELECT n.actor, n.key, n.body_sha256, n.first_idx, n.entry_count, n.time_ms
            FROM unnest(actors, keys, body_sha256s, firsts, counts, times_ms)
                AS n (actor, key, body_sha256, first_idx, entry_count, time_ms);
    END IF;
    -- Whoever listens learns of it with the commit, never before.
    PERFORM pg_notify('countersign', new_size::text);
    RETURN expected;
END
$$;
