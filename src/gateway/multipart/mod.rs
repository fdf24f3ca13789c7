//! Multipart uploads: parts are sealed one by one, the footer is made at Complete.
//!
//! | file | holds |
//! |---|---|
//! | [`create`] | CreateMultipartUpload |
//! | [`part`] | UploadPart and UploadPartCopy: one way to store a part, whoever sends it |
//! | [`complete`] | CompleteMultipartUpload: what was asked for (`asked`), what it makes (`plan`), carrying it out (`finish`) |
//! | [`ending`] | how every backend upload ends, a copy's own as well: footer, Complete at all sites |
//! | [`abort`] | AbortMultipartUpload |
//! | [`leftover`] | what a site did not clear up when it was told |
//! | [`removal`] | what becomes of the uploads of a bucket that is removed |
//! | [`sweep`] | aborts what nobody goes on with |
//! | [`list_parts`], [`list_uploads`] | the listings, from the state alone |
//! | [`session`] | an upload as an operation finds it |
//! | [`staging`] | parts too small to be a backend's part, kept as objects of the system bucket until Complete |
//! | [`desk`] | what is kept in memory: locks of the uploads, answers of those just completed |
mod abort;
mod complete;
mod create;
mod desk;
mod ending;
mod leftover;
mod list_parts;
mod list_uploads;
mod part;
mod removal;
mod session;
mod staging;
mod sweep;

pub(in crate::gateway) use abort::abort_multipart_upload;
pub(in crate::gateway) use complete::complete_multipart_upload;
pub(in crate::gateway) use create::create_multipart_upload;
pub use desk::Uploads;
pub(in crate::gateway) use ending::{Ending, abort_at, abort_where_missing, end};
pub(in crate::gateway) use list_parts::list_parts;
pub(in crate::gateway) use list_uploads::list_multipart_uploads;
pub(in crate::gateway) use part::{upload_part, upload_part_copy};
pub(in crate::gateway) use removal::{forget_all, uploads_in};
