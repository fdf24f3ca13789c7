//! Raw (what serde reads) -> validated (typed). CONTRACT SKELETON.
