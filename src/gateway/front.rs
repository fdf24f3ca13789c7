//! The HTTP around the operations: request ids, the access log, error bodies, limits, time-outs.
//! CONTRACT SKELETON (owner: server).
