//! A future that a vanished caller does not stop.
//!
//! When a client goes away hyper drops the future that serves it. For a read that is right. A write may be between
//! the commit at one site and the note that another misses it: it is let run to its end on a task of its own. (Its
//! body then ends with an error, so an upload under way still breaks off.)
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module. `T` is what the work comes to.
pub struct Persevere<T: Send + 'static> {
    work: Option<Work<T>>,
    orphans: Option<TaskTracker>,
}

// === impl Persevere ===

impl<T: Send + 'static> Persevere<T> {
    /// With `orphans`, `work` that is dropped unfinished goes on there.
    pub fn new(work: Work<T>, orphans: Option<TaskTracker>) -> Self {
        Self { work: Some(work), orphans }
    }
}

impl<T: Send + 'static> Future for Persevere<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let output = ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(output)
    }
}

impl<T: Send + 'static> Drop for Persevere<T> {
    fn drop(&mut self) {
        // During a panic the work is what panicked; outside a runtime the process is ending.
        if let (Some(work), Some(orphans)) = (self.work.take(), self.orphans.take())
            && !std::thread::panicking()
            && let Ok(runtime) = Handle::try_current()
        {
            orphans.spawn_on(async move { drop(work.await) }, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_write_ends_although_its_caller_is_gone_and_a_read_does_not() {
        for (persevering, expected) in [(true, true), (false, false)] {
            let orphans = TaskTracker::new();
            let done = Arc::new(AtomicBool::new(false));
            let (go, gate) = oneshot::channel::<()>();
            let work = {
                let done = done.clone();
                async move {
                    let _ = gate.await;
                    done.store(true, Ordering::SeqCst);
                }
            };
            let mut future = Persevere::new(Box::pin(work), persevering.then(|| orphans.clone()));
            assert!(futures_util::poll!(&mut future).is_pending());
            drop(future);
            let _ = go.send(());
            orphans.close();
            orphans.wait().await;
            assert_eq!(done.load(Ordering::SeqCst), expected);
        }
    }
}
