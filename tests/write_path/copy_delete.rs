//! Copies and deletes.
