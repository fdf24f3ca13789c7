//! The composition root: the one place that knows the concrete types and wires them. CONTRACT SKELETON.
