//! Rules on records.
