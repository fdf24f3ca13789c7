//! The audit trail of requests: the access log in S3's server-access-log format, and the same as JSON events with
//! what S3's format has no field for. One line per request in each (a copy or a multi-delete adds lines to the access
//! log, as in S3).
//!
//! - [`Facts`] are collected along the way by whoever learns them, through the [`RequestContext`].
//! - [`Record`] is what is known at the end; [`AccessLine`] and [`Event`] write it down. No input can forge a line:
//!   whatever a client controls is percent-encoded or JSON-escaped.
//! - [`AuditLog`] writes on a thread of its own. Nothing is dropped: a request takes its [`Slot`] in the queue before
//!   it is served, so when the log cannot keep up (or cannot be written) requests wait.
mod access_line;
mod escape;
mod event;
mod facts;
mod log;
mod record;
mod sink;

pub use access_line::AccessLine;
pub use escape::redact_query;
pub use event::Event;
pub use facts::{Facts, RequestContext};
pub use log::{AuditClosed, AuditLog, AuditObserver, AuditSettings, LogKind, Slot, Target};
pub use record::{Outcome, Record};
