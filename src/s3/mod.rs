//! The vocabulary shared by every room: names, lengths, ranges, ETags. No I/O, no imports.
mod alias;
mod etag;
mod len;
pub mod lock;
mod name;
mod operation;
mod range;
mod request_id;
pub mod rewrap;
mod suite;

pub use alias::{Alias, Aliases};
pub use etag::{PlainETag, SealedETag};
pub use len::{PlainLen, SealedLen};
pub use lock::{Lock, LockMode};
pub use name::{BucketName, NameError, ObjectKey};
pub use operation::Operation;
pub use range::{ByteRange, PlainSpan, Unsatisfiable};
pub use request_id::RequestId;
pub use suite::Suite;
