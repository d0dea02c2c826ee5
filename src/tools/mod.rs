//! What agents can call.
