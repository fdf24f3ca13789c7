//! The multipart family. A client's part is one sealed message; the index and the trailer are made at Complete.
//!
//! | file | holds |
//! |---|---|
//! | [`session`] | an upload found again: its row, its sealer, its place |
//! | [`create`], [`part`], [`complete`], [`abort`], [`lists`] | the operations |
//! | [`staging`] | a part too small for the backends, kept as a small object until Complete (docs/decisions/0001) |
mod abort;
mod complete;
mod create;
mod lists;
mod part;
mod session;
mod staging;

pub(super) use abort::abort_multipart_upload;
pub(super) use complete::complete_multipart_upload;
pub(super) use create::create_multipart_upload;
pub(super) use lists::{list_multipart_uploads, list_parts};
pub(super) use part::{upload_part, upload_part_copy};
pub use session::Uploads;

/// The last part number a client may use: one more is kept for the sealed footer.
pub(super) const LAST_PART: u16 = 9_999;
