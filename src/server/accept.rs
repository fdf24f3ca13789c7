//! The accept loop.
use super::connection::Lines;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// After an error like "too many open files" the next try would fail at once as well.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `stop`, at most `limit` connections at once; the others wait in the listen queue. Closes the
/// listener when it returns.
pub(super) async fn accept(listener: TcpListener, lines: &Lines, limit: usize, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS)));
    let accepting = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, address)) => lines.open(stream, address, place),
                Err(error) => pause_after(&error).await,
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
}

/// Errors of one connection (it was gone before it was accepted) pass; others get a pause and a line in the log.
pub(super) async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "a connection cannot be accepted");
        tokio::time::sleep(PAUSE).await;
    }
}
