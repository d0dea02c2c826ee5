//! Markdown to a small tree, and splitting that keeps its parts whole.
