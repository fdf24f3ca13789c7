//! How long somebody is waited for.
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// One wait after another, on a timer that is made when it is first needed and moved only when it fires: a body of
/// many small waits costs a look at the clock each, not a timer.
#[derive(Default)]
pub struct Patience {
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

// === impl Patience ===

impl Patience {
    /// What was waited for came.
    pub fn rewarded(&mut self) {
        self.waiting_since = None;
    }

    /// Ready when `timeout` has passed since the first call after [`Patience::rewarded`]; else the task is woken then.
    pub fn poll(&mut self, cx: &mut Context<'_>, timeout: Duration) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        self.poll_since(cx, since, timeout)
    }

    /// Ready when `timeout` has passed since `since`; else the task is woken then.
    pub fn poll_since(&mut self, cx: &mut Context<'_>, since: Instant, timeout: Duration) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + timeout)));
        loop {
            if since.elapsed() >= timeout {
                return Poll::Ready(());
            }
            if timer.deadline() > since + timeout || timer.is_elapsed() {
                timer.as_mut().reset(since + timeout);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_after_the_timeout_of_one_wait_not_of_all() {
        let mut patience = Patience::default();
        let second = Duration::from_secs(1);
        for _ in 0..5 {
            let waited = tokio::time::timeout(second * 3 / 4, poll_fn(|cx| patience.poll(cx, second))).await;
            assert!(waited.is_err(), "not yet");
            patience.rewarded();
        }
        let began = Instant::now();
        poll_fn(|cx| patience.poll(cx, second)).await;
        assert_eq!(began.elapsed(), second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_timeout_than_the_last_one_is_kept() {
        let mut patience = Patience::default();
        let long =
            tokio::time::timeout(Duration::from_millis(1), poll_fn(|cx| patience.poll(cx, Duration::from_secs(99))));
        assert!(long.await.is_err());
        patience.rewarded();
        let began = Instant::now();
        poll_fn(|cx| patience.poll(cx, Duration::from_secs(1))).await;
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
