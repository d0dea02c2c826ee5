//! Configuration: one file per section, loading, validation, secrets.
