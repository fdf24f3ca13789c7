//! In-process S3 sites for `strongroom demo`: `s3s-fs` on a loopback port, its gaps closed by a wrapper.
//!
//! `s3s-fs` 0.17 stores bodies and verifies checksums; everything it cannot do is done around it:
//!
//! - Every write is a *blob*: a fresh, never reused name that `s3s-fs` writes ([`blobs`]). An object is a small
//!   *entry* that names its blobs, committed by one rename ([`index`]). So an overwrite is atomic against a crash
//!   and against readers, keys `a` and `a/b` coexist, any key of 1,024 bytes is legal, and none can leave its folder.
//! - Conditions are decided under a lock per key ([`objects`]); listings come from the index ([`listing`]).
//! - A multipart upload is a set of blobs, completing it names them in an entry ([`uploads`]): parts in any
//!   numbering, nothing is copied.
//!
//! ```text
//! FOLDER/BUCKET/xx/....                      blobs, written by s3s-fs
//! FOLDER/.strongroom/buckets/BUCKET.json     a bucket
//! FOLDER/.strongroom/objects/BUCKET/xx/HASH  an entry; HASH = SHA-256 of the key
//! FOLDER/.strongroom/uploads/ID/             upload.json and one file per part
//! ```
mod blobs;
mod buckets;
mod disk;
mod entry;
mod index;
mod listing;
mod objects;
mod removal;
mod server;
mod unkept;
mod uploads;
mod wrapper;

use crate::secret::SecretText;
use std::net::SocketAddr;
use std::path::Path;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running embedded site.
pub struct EmbeddedSite {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

// === impl EmbeddedSite ===

impl EmbeddedSite {
    /// Serves `folder` (created when missing) on 127.0.0.1:`port` (0: any) for one credential.
    ///
    /// # Errors
    /// When the folder or the port cannot be used, or an entry in the folder cannot be read.
    pub async fn start(folder: &Path, port: u16, access_key_id: &str, secret: &SecretText) -> std::io::Result<Self> {
        let folder = folder.to_owned();
        let store = tokio::task::spawn_blocking(move || wrapper::Store::open(&folder)).await??;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let service = server::service(store, access_key_id, secret);
        let server = tokio::spawn(server::serve(listener, service, stopped));
        Ok(Self { address, stop, server })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting and waits for what is in flight.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.server.await;
    }
}
