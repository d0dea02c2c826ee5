-- Every node that is at work, and for a day those that went without a word.
CREATE TABLE nodes (
    name TEXT NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    until BIGINT NOT NULL
);
