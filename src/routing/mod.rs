//! Who is spoken to: pure functions.
