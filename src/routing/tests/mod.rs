//! Tests of the whole of routing: who gets which message.
