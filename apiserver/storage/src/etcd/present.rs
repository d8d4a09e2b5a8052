//! etcd's present revision, asked for once on behalf of all who want to know it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::{Error, Result, Revision};

/// A request that has not been answered for so long does not hold up who came after it: they get one of their own.
const PATIENCE: Duration = Duration::from_millis(50);

/// Asks for the present revision, in rounds: while a request is under way, those who come gather, and the next one is theirs.
/// Nobody is given the answer to a request that was sent before they asked, for that may be older than a write they know of.
#[derive(Clone)]
pub(super) struct PresentRevision(Arc<Shared>);

type Waiting = oneshot::Sender<Result<Revision>>;

struct Shared {
    ask: Box<dyn Fn() -> BoxFuture<'static, Result<Revision>> + Send + Sync>,
    rounds: Mutex<Rounds>,
}

#[derive(Default)]
struct Rounds {
    /// Who gets the answer to the next request.
    gathering: Vec<Waiting>,
    /// A request is under way, and who sent it sends the next one.
    under_way: bool,
}

impl PresentRevision {
    /// `ask` sends one request.
    pub(super) fn new<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Revision>> + Send + 'static,
    {
        Self(Arc::new(Shared { ask: Box::new(move || Box::pin(ask())), rounds: Mutex::default() }))
    }

    /// A revision at least as new as every write acknowledged before the call.
    pub(super) async fn get(&self) -> Result<Revision> {
        let (answer, answered) = oneshot::channel();
        let idle = {
            let mut rounds = self.0.rounds.lock();
            rounds.gathering.push(answer);
            !std::mem::replace(&mut rounds.under_way, true)
        };
        if idle {
            Turn::begin(&self.0);
        }
        answered.await.unwrap_or_else(|_| Err(Error::Unavailable("a request to etcd was dropped".to_owned())))
    }
}

impl fmt::Debug for PresentRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentRevision").finish_non_exhaustive()
    }
}

/// The right to send the next request: it exists while `under_way` is set.
struct Turn {
    shared: Arc<Shared>,
    over: bool,
}

impl Turn {
    fn begin(shared: &Arc<Shared>) {
        Self { shared: shared.clone(), over: false }.go_on();
    }

    /// On a task of its own, for whoever wants the answer may go away.
    fn go_on(self) {
        tokio::spawn(self.take());
    }

    /// Sends requests until nobody waits for one.
    async fn take(mut self) {
        while let Some(waiting) = self.next() {
            let mut request = (self.shared.ask)();
            let answer = tokio::select! {
                biased;
                answer = &mut request => answer,
                () = sleep(PATIENCE) => {
                    self.go_on();
                    return tell(waiting, &request.await);
                }
            };
            tell(waiting, &answer);
        }
    }

    /// Those whom the next answer is for.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut rounds = self.shared.rounds.lock();
        if rounds.gathering.is_empty() {
            rounds.under_way = false;
            self.over = true;
            return None;
        }
        Some(std::mem::take(&mut rounds.gathering))
    }
}

impl Drop for Turn {
    /// After a panic nobody is to wait for what never comes.
    fn drop(&mut self) {
        if !self.over {
            *self.shared.rounds.lock() = Rounds::default();
        }
    }
}

fn tell(waiting: Vec<Waiting>, answer: &Result<Revision>) {
    for who in waiting {
        // Whoever asked may have gone.
        let _ = who.send(answer.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    type Answers = Arc<Mutex<VecDeque<oneshot::Sender<Result<Revision>>>>>;

    /// Requests that are answered by hand.
    fn by_hand() -> (PresentRevision, Answers) {
        let sent = Answers::default();
        let requests = sent.clone();
        let present = PresentRevision::new(move || {
            let (answer, answered) = oneshot::channel();
            requests.lock().push_back(answer);
            async move { answered.await.unwrap_or_else(|_| panic!("a request that fails badly")) }
        });
        (present, sent)
    }

    fn ask(present: &PresentRevision, number: usize) -> Vec<tokio::task::JoinHandle<Result<Revision>>> {
        let one = |_| {
            let present = present.clone();
            tokio::spawn(async move { present.get().await })
        };
        (0..number).map(one).collect()
    }

    async fn settle() {
        // Less than anybody's patience: the clock is paused.
        sleep(PATIENCE / 10).await;
    }

    fn answer(sent: &Answers, answer: Result<Revision>) {
        sent.lock().pop_front().expect("a request was sent").send(answer).expect("the answer is waited for");
    }

    async fn told(asked: Vec<tokio::task::JoinHandle<Result<Revision>>>) -> Vec<Result<Revision, String>> {
        let mut told = Vec::new();
        for one in asked {
            told.push(one.await.unwrap().map_err(|error| error.to_string()));
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_for_those_who_asked_before_the_request_was_sent() {
        let (present, sent) = by_hand();
        let first = ask(&present, 1);
        settle().await;
        let second = ask(&present, 3);
        settle().await;
        assert_eq!(sent.lock().len(), 1, "one request at a time");
        answer(&sent, Ok(5));
        assert_eq!(told(first).await, [Ok(5)]);
        settle().await;
        assert!(second.iter().all(|asked| !asked.is_finished()), "an answer is older than the question");
        assert_eq!(sent.lock().len(), 1, "one request for three");
        answer(&sent, Err(Error::Timeout));
        assert_eq!(told(second).await, vec![Err(Error::Timeout.to_string()); 3]);
        let third = ask(&present, 1);
        settle().await;
        answer(&sent, Ok(7));
        assert_eq!(told(third).await, [Ok(7)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_hangs_holds_up_nobody_else() {
        let (present, sent) = by_hand();
        let first = ask(&present, 1);
        settle().await;
        let second = ask(&present, 1);
        sleep(2 * PATIENCE).await;
        let hanging = sent.lock().pop_front().unwrap();
        answer(&sent, Ok(6));
        assert_eq!(told(second).await, [Ok(6)]);
        let third = ask(&present, 1);
        settle().await;
        answer(&sent, Ok(8));
        assert_eq!(told(third).await, [Ok(8)]);
        hanging.send(Ok(6)).unwrap();
        assert_eq!(told(first).await, [Ok(6)], "it may be late, not wrong");
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_takes_nothing_from_the_others() {
        let (present, sent) = by_hand();
        let (gone, stays) = (ask(&present, 1), ask(&present, 1));
        settle().await;
        gone[0].abort();
        answer(&sent, Ok(3));
        assert_eq!(told(stays).await, [Ok(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_request_that_panics_others_are_sent() {
        let (present, sent) = by_hand();
        let first = ask(&present, 2);
        settle().await;
        drop(sent.lock().pop_front());
        assert!(told(first).await.iter().all(Result::is_err));
        let second = ask(&present, 1);
        settle().await;
        answer(&sent, Ok(4));
        assert_eq!(told(second).await, [Ok(4)]);
    }
}
