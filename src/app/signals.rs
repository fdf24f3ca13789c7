//! SIGINT and SIGTERM.
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT or SIGTERM cancels. A second one ends the process at once with code 130: whoever
/// presses Ctrl-C twice does not want to wait for slow clients.
///
/// # Errors
/// When the operating system refuses the handlers.
pub fn stop_signal() -> std::io::Result<CancellationToken> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        let mut any = async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
        any().await;
        tracing::info!("stopping: waiting for requests under way (once more to break them off)");
        first.cancel();
        any().await;
        std::process::exit(130);
    });
    Ok(token)
}
