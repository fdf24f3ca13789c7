//! What operators see of the inside: every metric in one table ([`TABLE`]), and the set-up of the program's own log.
//!
//! The hot path never formats a label: what belongs to an operation is looked up once, at start.
mod codes;
mod keys;
mod metrics;
mod operations;
mod process;
mod recovery;
mod render;
mod table;
mod trace;

pub use keys::SuiteUse;
pub use metrics::{ConnectionFault, Direction, Finished, Log, Metrics};
pub use recovery::Compared;
pub use table::{Row, TABLE};
pub use trace::{Format, TraceError, start_tracing};
