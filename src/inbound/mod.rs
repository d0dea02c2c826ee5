//! The edge: from a platform event to a stored inbox item.
