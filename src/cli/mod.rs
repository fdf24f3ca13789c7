//! One file per command. CONTRACT SKELETON.
