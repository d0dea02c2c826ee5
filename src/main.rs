//! The `roundtable` program.

fn main() {}
