//! What takes long to make: it is made once for all who ask, and goes on when they leave.

use apimachinery::status::StatusError;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;

/// Something that is made when first asked for.
pub(super) struct Made<T>(Mutex<Option<Making<T>>>);

type Making<T> = Shared<BoxFuture<'static, Result<T, String>>>;

impl<T> Default for Made<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone + Send + Sync + 'static> Made<T> {
    /// It; `work` makes it, on a thread for blocking work, unless that is done or under way. Who gives up waiting takes nothing
    /// from the others, nor from those to come.
    ///
    /// # Errors
    /// 500 if the work panicked; the next to ask begins anew.
    pub async fn get(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StatusError> {
        let making = self.0.lock().get_or_insert_with(|| start(work)).clone();
        making.clone().await.map_err(|error| {
            self.0.lock().take_if(|failed| failed.ptr_eq(&making));
            StatusError::internal(format!("unable to describe the API: {error}"))
        })
    }

    /// It, if it is made.
    #[cfg(test)]
    pub fn ready(&self) -> Option<T> {
        self.0.lock().as_ref().and_then(|making| making.peek().cloned()?.ok())
    }
}

fn start<T: Clone + Send + Sync + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Making<T> {
    let task = tokio::task::spawn_blocking(work);
    async move { task.await.map_err(|error| error.to_string()) }.boxed().shared()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_and_is_done_once() {
        let (made, count) = (Made::default(), Arc::new(AtomicUsize::new(0)));
        let (go, wait) = mpsc::channel::<()>();
        let counted = count.clone();
        let work = move || {
            wait.recv().unwrap();
            counted.fetch_add(1, Ordering::SeqCst) + 1
        };
        let mut first = Box::pin(made.get(work));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        go.send(()).unwrap();
        let again = || panic!("it is begun anew");
        assert_eq!(made.get(again).await.unwrap(), 1);
        assert_eq!((made.get(again).await.unwrap(), count.load(Ordering::SeqCst)), (1, 1));
    }

    #[tokio::test]
    async fn what_failed_is_tried_again() {
        let made = Made::default();
        assert_eq!(made.get(|| panic!("no")).await.unwrap_err().code(), 500);
        assert_eq!(made.get(|| 2).await.unwrap(), 2);
    }
}
