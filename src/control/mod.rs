//! The verbs that commands, HTTP and the command line share.
