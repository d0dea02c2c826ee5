-- Every node that is at work, and for a day those that went without a word.
CREATE TABLE nodes (
    name TEXT NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
