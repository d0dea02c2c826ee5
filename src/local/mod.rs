//! The embedded channel behind the terminal: a log keyed by delivery id.
