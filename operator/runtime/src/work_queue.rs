//! A work queue of keys: each is worked on by one worker at a time, however often it is added, and again later when
//! it was added meanwhile; failures come back after growing waits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::metrics::QueueMetrics;

/// What is to happen with a key after it was worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing until it is added again.
    Done,
    /// It comes back after a wait.
    After(Duration),
    /// It comes back after a wait that grows each time, as after an error, but nothing is logged.
    Retry,
}

/// A queue of keys `K`. Cheap to clone.
pub struct WorkQueue<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<K> {
    state: Mutex<State<K>>,
    wake: Notify,
    first_wait: Duration,
    longest_wait: Duration,
    metrics: QueueMetrics,
}

struct State<K> {
    ready: VecDeque<K>,
    /// Keys in `ready`, and keys in work that were added again.
    dirty: HashSet<K>,
    in_work: HashSet<K>,
    later: BinaryHeap<Reverse<Later<K>>>,
    /// When each key of `later` is due; entries of `later` with another time are void.
    due: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

struct Later<K> {
    at: Instant,
    key: K,
}

impl<K> PartialEq for Later<K> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl<K> Eq for Later<K> {}
impl<K> PartialOrd for Later<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Later<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<K: Clone + Eq + Hash + Debug + Send + 'static> WorkQueue<K> {
    /// A queue whose failed keys wait from 5 ms, doubled each time, up to `longest_wait`.
    pub fn new(longest_wait: Duration, metrics: QueueMetrics) -> Self {
        let state = State {
            ready: VecDeque::new(),
            dirty: HashSet::new(),
            in_work: HashSet::new(),
            later: BinaryHeap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                wake: Notify::new(),
                first_wait: Duration::from_millis(5),
                longest_wait,
                metrics,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a key, unless it waits already.
    pub fn add(&self, key: K) {
        let mut state = self.state();
        if !state.dirty.insert(key.clone()) {
            return;
        }
        self.inner.metrics.added();
        if !state.in_work.contains(&key) {
            state.ready.push_back(key);
            drop(state);
            self.inner.wake.notify_one();
        }
    }

    /// Adds a key after a wait, or earlier if it is to come back earlier anyway.
    pub fn add_after(&self, key: K, wait: Duration) {
        if wait.is_zero() {
            return self.add(key);
        }
        let at = Instant::now() + wait;
        let mut state = self.state();
        if state.due.get(&key).is_some_and(|due| *due <= at) {
            return;
        }
        state.due.insert(key.clone(), at);
        state.later.push(Reverse(Later { at, key }));
        drop(state);
        self.inner.wake.notify_one();
    }

    /// Adds a key after a wait that grows with each call until [`forget`](Self::forget).
    pub fn retry(&self, key: K) {
        let mut state = self.state();
        let failures = state.failures.entry(key.clone()).or_default();
        let wait = self.inner.first_wait.saturating_mul(1 << (*failures).min(20)).min(self.inner.longest_wait);
        *failures += 1;
        drop(state);
        self.inner.metrics.retried();
        self.add_after(key, wait);
    }

    /// Starts the key's waits anew.
    pub fn forget(&self, key: &K) {
        self.state().failures.remove(key);
    }

    /// The next key to work on; [`done`](Self::done) must follow.
    pub async fn next(&self) -> K {
        loop {
            let woken = self.inner.wake.notified();
            let until = {
                let mut state = self.state();
                let now = Instant::now();
                while state.later.peek().is_some_and(|Reverse(later)| later.at <= now) {
                    let Some(Reverse(Later { at, key })) = state.later.pop() else { break };
                    if state.due.get(&key) != Some(&at) {
                        continue;
                    }
                    state.due.remove(&key);
                    if state.dirty.insert(key.clone()) && !state.in_work.contains(&key) {
                        state.ready.push_back(key);
                    }
                }
                if let Some(key) = state.ready.pop_front() {
                    state.dirty.remove(&key);
                    state.in_work.insert(key.clone());
                    self.inner.metrics.depth(state.ready.len());
                    return key;
                }
                state.later.peek().map(|Reverse(later)| later.at)
            };
            match until {
                Some(at) => tokio::select! {
                    () = woken => (),
                    () = tokio::time::sleep_until(at) => (),
                },
                None => woken.await,
            }
        }
    }

    /// Says that the work on a key has ended.
    pub fn done(&self, key: &K) {
        let mut state = self.state();
        state.in_work.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.inner.wake.notify_one();
        }
    }

    /// Works on keys, at most `concurrency` at once, for as long as it is polled. Errors are logged and retried.
    pub async fn process<F, Work, E>(&self, concurrency: usize, mut work: F)
    where
        F: FnMut(K) -> Work,
        Work: Future<Output = Result<Outcome, E>>,
        E: std::error::Error + 'static,
    {
        let mut in_work = FuturesUnordered::new();
        loop {
            tokio::select! {
                key = self.next(), if in_work.len() < concurrency.max(1) => {
                    let started = Instant::now();
                    let working = work(key.clone());
                    in_work.push(async move { (key, started, working.await) });
                }
                Some((key, started, outcome)) = in_work.next(), if !in_work.is_empty() => {
                    self.inner.metrics.worked(started.elapsed());
                    match outcome {
                        Ok(Outcome::Done) => self.forget(&key),
                        Ok(Outcome::After(wait)) => {
                            self.forget(&key);
                            self.add_after(key.clone(), wait);
                        }
                        Ok(Outcome::Retry) => self.retry(key.clone()),
                        Err(error) => {
                            let error = crate::error::line(&error);
                            tracing::warn!(queue = self.inner.metrics.name(), ?key, error, "will be tried again");
                            self.retry(key.clone());
                        }
                    }
                    self.done(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    fn queue() -> WorkQueue<&'static str> {
        WorkQueue::new(Duration::from_secs(1), Metrics::default().queue("test"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_is_in_one_workers_hands() {
        let queue = queue();
        queue.add("a");
        queue.add("a");
        queue.add("b");
        assert_eq!(queue.next().await, "a");
        queue.add("a"); // while in work
        assert_eq!(queue.next().await, "b");
        assert!(futures::poll!(std::pin::pin!(queue.next())).is_pending(), "a is still in work");
        queue.done(&"a");
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_up_to_the_limit() {
        let queue = queue();
        let mut waits = Vec::new();
        for _ in 0..10 {
            let before = Instant::now();
            queue.retry("a");
            let key = queue.next().await;
            waits.push(before.elapsed().as_millis());
            queue.done(&key);
        }
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert_eq!(waits[9], 1000);
        queue.forget(&"a");
        let before = Instant::now();
        queue.retry("a");
        queue.next().await;
        assert_eq!(before.elapsed().as_millis(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_comes_back_once_at_the_earliest_of_its_times() {
        let queue = queue();
        for seconds in [30, 10, 20] {
            queue.add_after("a", Duration::from_secs(seconds));
        }
        let before = Instant::now();
        queue.next().await;
        assert_eq!(before.elapsed().as_secs(), 10);
        queue.done(&"a");
        assert!(tokio::time::timeout(Duration::from_secs(60), queue.next()).await.is_err(), "it came back twice");
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_beside_slow_keys_and_after_errors() {
        let queue = queue();
        for key in ["slow", "fails", "fine"] {
            queue.add(key);
        }
        let log = Mutex::new(Vec::new());
        let working = queue.process(2, |key| {
            let log = &log;
            async move {
                log.lock().unwrap().push(key);
                match key {
                    "slow" => std::future::pending().await,
                    "fails" if log.lock().unwrap().len() < 4 => Err(std::fmt::Error),
                    _ => Ok(Outcome::Done),
                }
            }
        });
        assert!(tokio::time::timeout(Duration::from_secs(5), working).await.is_err());
        assert_eq!(*log.lock().unwrap(), ["slow", "fails", "fine", "fails"]);
    }
}
