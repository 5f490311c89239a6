//! Waits as futures under two runtimes: woken, cancelled, moved between threads, with one helper thread.

#![allow(clippy::unwrap_used, reason = "a test that fails is to fail")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions, Value};

const LONG: Duration = Duration::from_secs(30);
const NOW: Option<Duration> = Some(Duration::ZERO);

fn fresh() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

/// Runs something under tokio on two threads, and under smol.
fn under_both<F: Future<Output = ()> + Send + 'static>(make: impl Fn() -> F) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let task = runtime.spawn(make());
    runtime.block_on(async { tokio::time::timeout(LONG, task).await }).unwrap().unwrap();
    let late = async {
        smol::Timer::after(LONG).await;
        panic!("not done in time");
    };
    smol::block_on(smol::future::or(make(), late));
}

/// Polls a future once, and says whether it is done.
async fn once<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context: &mut Context<'_>| {
        Poll::Ready(Pin::new(&mut *future).poll(context).is_ready())
    })
    .await
}

#[test]
fn what_others_put_wakes_who_waits_for_it() {
    under_both(|| async {
        let segment = fresh();
        let queue = segment.queue("jobs", 1).unwrap();
        let producer = {
            let queue = queue.clone();
            std::thread::spawn(move || {
                for number in 0..100 {
                    queue.put(number, Some(LONG)).unwrap();
                }
            })
        };
        for number in 0..100 {
            assert_eq!(queue.get_async().await.unwrap(), Value::Int(number));
        }
        producer.join().unwrap();
        // And room that others make.
        queue.put(0, None).unwrap();
        let consumer = {
            let queue = queue.clone();
            std::thread::spawn(move || (0..50).for_each(|_| drop(queue.get(Some(LONG)).unwrap())))
        };
        for number in 1..50 {
            queue.put_async(number).await.unwrap();
        }
        consumer.join().unwrap();
        assert!(queue.is_empty().unwrap());
    });
}

#[test]
fn a_lock_is_exclusive_among_tasks_and_threads() {
    under_both(|| async {
        let segment = fresh();
        let pair = segment.list_of([0]).unwrap();
        let count = |segment: Segment, pair: shm::List| async move {
            let lock = segment.lock("ledger").unwrap();
            for _ in 0..50 {
                let guard = lock.acquire_async().await.unwrap();
                let Some(Value::Int(seen)) = pair.get(0).unwrap() else { panic!() };
                smol::future::yield_now().await;
                pair.set(0, seen + 1).unwrap();
                drop(guard);
            }
        };
        let thread = {
            let (segment, pair) = (segment.clone(), pair.clone());
            std::thread::spawn(move || smol::block_on(count(segment, pair)))
        };
        let tasks = [count(segment.clone(), pair.clone()), count(segment.clone(), pair.clone())];
        let [one, other] = tasks;
        smol::future::zip(one, other).await;
        // Not awaited, so that a runtime with few threads is not in its way.
        thread.join().unwrap();
        assert_eq!(pair.get(0).unwrap(), Some(Value::Int(150)));
        assert!(!segment.lock("ledger").unwrap().is_held().unwrap());
    });
}

#[test]
fn turns_come_in_the_order_in_which_futures_came() {
    under_both(|| async {
        let segment = fresh();
        let turn = segment.turn("t").unwrap();
        let first = turn.acquire_async().await.unwrap();
        let mut second = Box::pin(turn.acquire_async());
        assert!(!once(&mut second).await);
        let mut third = Box::pin(turn.acquire_async());
        assert!(!once(&mut third).await);
        drop(first);
        assert!(!once(&mut third).await, "the third is behind the second");
        let guard = second.await.unwrap();
        assert!(!guard.owner_died());
        drop(guard);
        drop(third.await.unwrap());
        assert!(!turn.is_held().unwrap());
    });
}

#[test]
fn a_future_that_is_dropped_holds_and_takes_nothing() {
    under_both(|| async {
        let segment = fresh();
        let (lock, turn) = (segment.lock("l").unwrap(), segment.turn("t").unwrap());
        let queue = segment.queue("q", 1).unwrap();
        let held = (lock.acquire(NOW).unwrap(), turn.acquire_async().await.unwrap());
        let mut waits: (_, _, _) = (
            Box::pin(lock.acquire_async()),
            Box::pin(turn.acquire_async()),
            Box::pin(queue.get_async()),
        );
        assert!(!once(&mut waits.0).await);
        assert!(!once(&mut waits.1).await);
        assert!(!once(&mut waits.2).await);
        drop(waits);
        drop(held);
        drop(lock.acquire(NOW).unwrap());
        drop(turn.acquire(NOW).unwrap());
        queue.put(1, NOW).unwrap();
        let mut full = Box::pin(queue.put_async(2));
        assert!(!once(&mut full).await);
        drop(full);
        assert_eq!(queue.get(NOW).unwrap(), Value::Int(1));
        assert!(queue.is_empty().unwrap());
    });
}

#[test]
fn events_and_changes_wake_futures() {
    under_both(|| async {
        let segment = fresh();
        let event = segment.event("e").unwrap();
        let setter = {
            let event = event.clone();
            std::thread::spawn(move || {
                event.set().unwrap();
                // It came, though it is over.
                event.clear().unwrap();
            })
        };
        let mut came = Box::pin(event.wait_async());
        // Set before or after it is looked at first: the wait began before neither.
        let _ = once(&mut came).await;
        setter.join().unwrap();
        event.set().unwrap();
        came.await.unwrap();
        let list = segment.list_of([1]).unwrap();
        let mut changes = segment.watch(&Value::from(&list)).unwrap();
        let writer = {
            let list = list.clone();
            std::thread::spawn(move || list.push(2).unwrap())
        };
        changes.changed().await.unwrap();
        writer.join().unwrap();
        assert_eq!(list.len().unwrap(), 2);
    });
}

#[test]
fn a_thousand_waits_take_one_thread() {
    let segment = fresh();
    let queue = segment.queue("q", 0).unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let executor = smol::LocalExecutor::new();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (queue, done) = (queue.clone(), Arc::clone(&done));
            executor.spawn(async move {
                queue.get_async().await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    while executor.try_tick() {}
    let helpers = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "shm waits").count()
    };
    let until = Instant::now() + LONG;
    // A thread gives itself its name, once it runs.
    while helpers() == 0 {
        assert!(Instant::now() < until, "no helper thread");
        std::thread::yield_now();
    }
    assert_eq!(helpers(), 1);
    for number in 0..1_000 {
        queue.put(number, NOW).unwrap();
    }
    while done.load(Ordering::Relaxed) < 1_000 {
        assert!(Instant::now() < until, "{} of 1000 woke", done.load(Ordering::Relaxed));
        if !executor.try_tick() {
            std::thread::yield_now();
        }
    }
    drop(tasks);
}

#[test]
fn a_closed_segment_ends_the_wait() {
    under_both(|| async {
        let segment = fresh();
        let queue = segment.queue("q", 0).unwrap();
        let closer = {
            let segment = segment.clone();
            std::thread::spawn(move || segment.close().unwrap())
        };
        assert!(queue.get_async().await.is_err());
        closer.join().unwrap();
    });
}
