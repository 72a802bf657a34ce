-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- One exception per fingerprint (REC-8). After the code: the previous version inserted a second one beside a resolved one.
UPDATE exception SET superseded = true
WHERE NOT superseded AND EXISTS (
    SELECT FROM exception AS newer
    WHERE newer.fingerprint = exception.fingerprint
        AND NOT newer.superseded
        AND (newer.status <> 'resolved', newer.first_seen_at, newer.id)
        > (exception.status <> 'resolved', exception.first_seen_at, exception.id)
);

DROP INDEX exception_fingerprint;
CREATE UNIQUE INDEX exception_fingerprint ON exception (fingerprint) WHERE NOT superseded;
