//! Every sentence the program itself says to people.
