//! Threads beside the pipeline, for work that must not hold up the display: each has a bounded inbox.

use std::any::Any;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use anyhow::{Error, Result};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};

use crate::error::{Blame, Fault};

/// A thread that works through messages until its inbox is closed.
pub struct Worker<M, T> {
    inbox: Option<Sender<M>>,
    /// Messages that the thread is done with, to reuse their memory.
    used: Receiver<M>,
    thread: JoinHandle<Result<T>>,
    name: &'static str,
}

impl<M: Send + 'static, T: Send + 'static> Worker<M, T> {
    /// Starts the thread `name`; at most `places` messages can wait for it.
    ///
    /// # Errors
    /// If the system cannot create a thread.
    pub fn start(
        name: &'static str,
        places: usize,
        work: impl FnOnce(Inbox<M>) -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        let (inbox, messages) = bounded(places);
        // One more can be in the thread's hands, and one in the sender's.
        let (done, used) = bounded(places + 2);
        let thread = spawn(name, move || work(Inbox { messages, done }))?;
        Ok(Self { inbox: Some(inbox), used, thread, name })
    }

    /// Sends a message, waiting for a place; `false` when the thread has ended.
    pub fn send(&self, message: M) -> bool {
        self.inbox.as_ref().is_some_and(|inbox| inbox.send(message).is_ok())
    }

    /// A message that the thread is done with, to be filled again.
    pub fn used(&self) -> Option<M> {
        self.used.try_recv().ok()
    }

    /// Signals that no more messages will come. The thread ends once it has worked through those that wait.
    pub fn close(&mut self) {
        self.inbox = None;
    }

    /// Whether the thread has ended.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The thread's own, or its panic.
    pub fn join(mut self) -> Result<T> {
        self.close();
        joined(self.thread.join(), self.name)?
    }
}

/// The receiving end of a worker's messages.
pub struct Inbox<M> {
    messages: Receiver<M>,
    done: Sender<M>,
}

impl<M> Inbox<M> {
    /// Gives a message back, to reuse its memory.
    pub fn give_back(&self, message: M) {
        // Has room: there are no more messages than places.
        let _ = self.done.try_send(message);
    }
}

impl<M> Iterator for Inbox<M> {
    type Item = M;

    fn next(&mut self) -> Option<M> {
        self.messages.recv().ok()
    }
}

/// A thread that calls what can block forever, such as a driver, and leaves the newest result in a slot. Nothing waits
/// for it: it ends by itself once the slot is no longer wanted, or with the process.
pub struct Feed<M> {
    newest: SlotOut<M>,
    thread: JoinHandle<Result<()>>,
    name: &'static str,
}

impl<M: Send + 'static> Feed<M> {
    /// Starts the thread `name`.
    ///
    /// # Errors
    /// If the system cannot create a thread.
    pub fn start(
        name: &'static str,
        work: impl FnOnce(&SlotIn<M>) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let (inlet, newest) = slot();
        let thread = spawn(name, move || {
            block_signals();
            work(&inlet)
        })?;
        Ok(Self { newest, thread, name })
    }

    /// Waits for a new item, at most this long.
    pub fn wait(&self, timeout: Duration) -> Latest<M> {
        self.newest.wait(timeout)
    }

    /// Why the thread has ended; to be asked once the slot is closed.
    ///
    /// # Errors
    /// The thread's own, or its panic.
    pub fn end(self) -> Result<()> {
        joined(self.thread.join(), self.name)?
    }
}

/// Leaves signals to other threads: a driver's call fails when a signal interrupts it.
fn block_signals() {
    #[cfg(unix)]
    // SAFETY: the set is ours, filled before it is read, and the call changes nothing but this thread's mask.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// Starts a thread.
///
/// # Errors
/// If the system cannot create one.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let thread = Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(Error::from).blame(Fault::Failure, || format!("cannot start the {name} thread"))
}

/// Works through `items` with this many threads, each of which takes the next item that none has taken. With one, that is
/// the calling thread. `work` gets the items one by one, with their places among all.
///
/// # Errors
/// The first of the threads' own, or a panic, once all have ended.
pub fn share<T: Sync>(
    name: &'static str,
    threads: usize,
    items: &[T],
    work: impl Fn(&mut dyn Iterator<Item = (usize, &T)>) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let take = || {
        let place = next.fetch_add(1, Ordering::Relaxed);
        items.get(place).map(|item| (place, item))
    };
    let work = || work(&mut iter::from_fn(take));
    if threads <= 1 {
        return work();
    }
    thread::scope(|scope| {
        let crew: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ends: Vec<_> = crew.into_iter().map(|thread| joined(thread.join(), name)?).collect();
        ends.into_iter().collect()
    })
}

/// What a thread returned; its panic as an error.
pub(crate) fn joined<T>(joined: thread::Result<T>, stage: &str) -> Result<T> {
    joined.map_err(|panic| {
        let why = message(panic.as_ref());
        let report = "this is a defect of facemark, please report it";
        Fault::Failure.error(format!("the {stage} stage failed inside ({why}); {report}"))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A queue with this many places.
pub fn queue<M>(places: usize) -> (Sender<M>, Receiver<M>) {
    bounded(places)
}

/// A place for one item: a newer one replaces one that was not fetched.
pub fn slot<M>() -> (SlotIn<M>, SlotOut<M>) {
    let (inlet, outlet) = bounded(1);
    let reader = Arc::new(());
    let inlet = SlotIn { inlet, stale: outlet.clone(), reader: Arc::downgrade(&reader) };
    (inlet, SlotOut { outlet, _reader: reader })
}

/// Where new items go in.
pub struct SlotIn<M> {
    inlet: Sender<M>,
    stale: Receiver<M>,
    reader: Weak<()>,
}

/// Where the newest item comes out.
pub struct SlotOut<M> {
    outlet: Receiver<M>,
    /// Lives as long as this end, so that the other one can tell.
    _reader: Arc<()>,
}

/// What is found in a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Latest<M> {
    /// The newest item.
    New(M),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing more will come.
    Closed,
}

impl<M> SlotIn<M> {
    /// Puts an item in without waiting; returns the one that it replaces.
    pub fn put(&self, message: M) -> Option<M> {
        let Err(TrySendError::Full(message)) = self.inlet.try_send(message) else {
            return None;
        };
        let old = self.stale.try_recv().ok();
        // Only this end sends, so there is room now.
        let _ = self.inlet.try_send(message);
        old
    }

    /// Whether the other end is still there.
    pub fn is_wanted(&self) -> bool {
        self.reader.strong_count() > 0
    }
}

impl<M> SlotOut<M> {
    /// Waits for a new item, at most this long.
    pub fn wait(&self, timeout: Duration) -> Latest<M> {
        match self.outlet.recv_timeout(timeout) {
            Ok(message) => Latest::New(message),
            Err(RecvTimeoutError::Timeout) => Latest::Nothing,
            Err(RecvTimeoutError::Disconnected) => Latest::Closed,
        }
    }

    /// Takes what is there without waiting.
    pub fn take(&self) -> Latest<M> {
        match self.outlet.try_recv() {
            Ok(message) => Latest::New(message),
            Err(TryRecvError::Empty) => Latest::Nothing,
            Err(TryRecvError::Disconnected) => Latest::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_works_off_what_waits_and_returns_its_result() {
        let worker = Worker::start("sum", 2, |numbers: Inbox<u32>| Ok(numbers.sum::<u32>())).unwrap();
        assert!((1..=10).all(|n| worker.send(n)));
        assert_eq!(worker.join().unwrap(), 55);
    }

    #[test]
    fn a_workers_error_and_panic_arrive() {
        let failing = Worker::start("failing", 1, |_: Inbox<()>| Err::<(), _>(Fault::Output.error("full")));
        assert_eq!(Fault::of(&failing.unwrap().join().unwrap_err()), Fault::Output);
        let broken = Worker::start("broken", 1, |mut inbox: Inbox<()>| -> Result<()> {
            inbox.next();
            panic!("ouch")
        });
        let message = broken.unwrap().join().unwrap_err().to_string();
        assert!(message.contains("broken") && message.contains("ouch"), "{message}");
    }

    #[test]
    fn a_feed_gives_what_is_newest_and_its_error_at_the_end() {
        let feed = Feed::start("feed", |inlet| {
            inlet.put(1);
            inlet.put(2);
            Err(Fault::Device.error("gone"))
        });
        let feed = feed.unwrap();
        while !feed.thread.is_finished() {
            thread::yield_now();
        }
        let long = Duration::from_secs(1);
        assert_eq!((feed.wait(long), feed.wait(long)), (Latest::New(2), Latest::Closed));
        assert_eq!(Fault::of(&feed.end().unwrap_err()), Fault::Device);
    }

    #[test]
    fn items_are_shared_and_each_is_taken_once() {
        for threads in [1, 3] {
            let sum = AtomicUsize::new(0);
            let work = |items: &mut dyn Iterator<Item = (usize, &usize)>| {
                items.for_each(|(place, item)| {
                    assert_eq!(place + 1, *item);
                    sum.fetch_add(*item, Ordering::Relaxed);
                });
                Ok(())
            };
            share("share", threads, &(1..=100).collect::<Vec<_>>(), work).unwrap();
            assert_eq!(sum.into_inner(), 5050);
        }
        let broken = share("share", 2, &[1, 2], |items| match items.next() {
            Some(_) => panic!("ouch"),
            None => Ok(()),
        });
        assert!(broken.unwrap_err().to_string().contains("ouch"));
    }

    #[test]
    fn a_slot_holds_the_newest_and_gives_the_older_back() {
        let (inlet, outlet) = slot();
        assert_eq!(outlet.take(), Latest::Nothing);
        assert_eq!(inlet.put(1), None);
        assert_eq!(inlet.put(2), Some(1));
        assert_eq!(outlet.wait(Duration::from_secs(1)), Latest::New(2));
        assert!(inlet.is_wanted());
        drop(inlet);
        assert_eq!(outlet.wait(Duration::from_secs(1)), Latest::Closed);
        let (inlet, outlet) = slot::<u8>();
        drop(outlet);
        assert!(!inlet.is_wanted());
    }
}
