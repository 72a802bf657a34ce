-- Named filters of the exception queue (REC-9d).
CREATE TABLE exception_view (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT exception_view_name CHECK (char_length(name) BETWEEN 1 AND 100),
    -- Members as in a query string; the service reads them again at each use.
    filter jsonb NOT NULL,
    owner text NOT NULL,
    is_shared boolean NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT exception_view_one_name UNIQUE (owner, name)
);

CREATE INDEX exception_view_shared ON exception_view (name, id) WHERE is_shared;

-- The view that a person sees first.
CREATE TABLE exception_view_default (
    person text PRIMARY KEY,
    view_id uuid NOT NULL REFERENCES exception_view (id) ON DELETE CASCADE
);

CREATE INDEX exception_view_default_view ON exception_view_default (view_id);

GRANT SELECT, INSERT, DELETE ON exception_view TO reconciler;
GRANT SELECT, INSERT, UPDATE, DELETE ON exception_view_default TO reconciler;
