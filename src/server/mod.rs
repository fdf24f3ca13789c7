//! Listeners, TLS, connections, admin endpoints, drain. CONTRACT SKELETON.
