//! The writer lock among threads: who is handed it, who stands down, and who was killed half-way.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::attach::{self, Place};
use crate::error::Error;
use crate::heap::Heap;
use crate::layout::{header, process, process_state};
use crate::list::List;
use crate::lock::{self, Acquired, brief};
use crate::options::SegmentOptions;
use crate::peers::ThreadClaim;
use crate::primitive::{AtomicBool, Ordering};
use crate::scratch;

const LONG: Duration = Duration::from_secs(20);

fn word(heap: &Heap, at: u64) -> u64 {
    heap.0.memory.meta(at).unwrap().load(Ordering::SeqCst)
}

fn claim(heap: &Heap) -> ThreadClaim {
    heap.session().unwrap().claim
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {LONG:?}");
        thread::yield_now();
    }
}

/// A thread that waits for the lock, and its token once it is next.
fn patient(heap: &Heap, timeout: Duration) -> (u64, thread::JoinHandle<Result<Acquired, Error>>) {
    let (tell, told) = mpsc::channel();
    let own = heap.clone();
    let waiter = thread::spawn(move || {
        let me = claim(&own);
        tell.send(me.token()).unwrap();
        let outcome = own.0.memory.lock(me, timeout);
        if outcome.is_ok() {
            own.0.memory.unlock(me);
        }
        outcome
    });
    let token = told.recv().unwrap();
    wait_until("the waiter is next", || word(heap, header::LOCK_NEXT) == token);
    (token, waiter)
}

#[test]
fn a_holder_whose_slot_is_another_ones_by_now_has_no_name() {
    let heap = scratch::heap(1 << 20);
    let memory = &heap.0.memory;
    let me = claim(&heap);
    let (pid, _) = memory.describe_owner(me.token()).unwrap();
    assert_eq!(pid, std::process::id());
    let former = ThreadClaim { incarnation: me.incarnation - 1, ..me };
    assert_eq!(memory.describe_owner(former.token()), None);
}

#[test]
fn a_patient_waiter_is_handed_the_lock() {
    let heap = scratch::heap(1 << 20);
    let memory = &heap.0.memory;
    let me = claim(&heap);
    assert_eq!(memory.lock(me, LONG).unwrap(), Acquired::Clean);
    let (_, waiter) = patient(&heap, LONG);
    memory.unlock(me);
    // Never free in between, so whoever comes now comes after the waiter.
    assert_eq!(memory.lock(me, LONG).unwrap(), Acquired::Clean);
    assert_eq!(word(&heap, header::LOCK_NEXT), 0);
    memory.unlock(me);
    assert_eq!(waiter.join().unwrap().unwrap(), Acquired::Clean);
    assert_eq!(word(&heap, header::LOCK_OWNER), 0);
}

#[test]
fn the_owner_word_names_the_next_one_from_the_moment_of_the_hand_over() {
    let heap = scratch::heap(1 << 20);
    let memory = &heap.0.memory;
    let me = claim(&heap);
    memory.lock(me, LONG).unwrap();
    let owner = memory.meta(header::LOCK_OWNER).unwrap();
    // A thread of the same process that lives but does not wait: the token of another slot of ours.
    let other = heap.clone();
    let token = thread::spawn(move || claim(&other).token()).join().unwrap();
    memory.meta(header::LOCK_NEXT).unwrap().store(token, Ordering::SeqCst);
    memory.unlock(me);
    assert_eq!(owner.load(Ordering::SeqCst), token);
    assert_eq!(word(&heap, header::LOCK_NEXT), 0);
    // That thread has ended by now: the lock is taken over from it, and whoever does is told.
    assert_eq!(memory.lock(me, LONG).unwrap(), Acquired::FromTheDead);
    memory.unlock(me);
}

#[test]
fn who_gives_up_stands_down() {
    let heap = scratch::heap(1 << 20);
    let memory = &heap.0.memory;
    let me = claim(&heap);
    memory.lock(me, LONG).unwrap();
    let (_, waiter) = patient(&heap, Duration::from_millis(50));
    assert!(matches!(waiter.join().unwrap(), Err(Error::LockTimeout { .. })));
    assert_eq!(word(&heap, header::LOCK_NEXT), 0);
    memory.unlock(me);
    assert_eq!(word(&heap, header::LOCK_OWNER), 0);
    assert_eq!(memory.lock(me, LONG).unwrap(), Acquired::Clean);
    memory.unlock(me);
}

#[test]
fn a_dead_one_that_is_next_makes_room_for_another() {
    let heap = scratch::heap(1 << 20);
    let memory = &heap.0.memory;
    let me = claim(&heap);
    memory.lock(me, LONG).unwrap();
    let other = heap.clone();
    let dead = thread::spawn(move || claim(&other).token()).join().unwrap();
    memory.meta(header::LOCK_NEXT).unwrap().store(dead, Ordering::SeqCst);
    let (token, waiter) = patient(&heap, LONG);
    assert_ne!(token, dead);
    memory.unlock(me);
    assert_eq!(waiter.join().unwrap().unwrap(), Acquired::Clean);
}

#[test]
fn everybody_gets_the_lock_though_two_threads_never_let_go_of_it() {
    const ROUNDS: usize = 200;
    let heap = scratch::heap(1 << 20);
    let done = AtomicBool::new(false);
    let memory = &heap.0.memory;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let me = claim(&heap);
                while !done.load(Ordering::Relaxed) {
                    memory.lock(me, LONG).unwrap();
                    memory.unlock(me);
                }
            });
        }
        let me = claim(&heap);
        for _ in 0..ROUNDS {
            memory.lock(me, LONG).unwrap();
            memory.unlock(me);
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!((word(&heap, header::LOCK_OWNER), word(&heap, header::LOCK_NEXT)), (0, 0));
}

#[test]
fn who_has_given_the_process_slot_back_and_still_works_is_not_dead_until_detached() {
    let heap = scratch::heap(1 << 20);
    let place = Place::new(Some(heap.name()), None).unwrap();
    let leaver = attach::attach(&place, &SegmentOptions::new()).unwrap();
    let (memory, claim) = (&heap.0.memory, claim(&leaver));
    let slot = leaver.own().claim.unwrap().slot;
    let state = memory.geometry.process_at(slot) + process::STATE;
    // As in `leave`: the slot goes in an operation, others follow.
    let taken = memory.meta(state).unwrap().swap(process_state::FREE, Ordering::SeqCst);
    assert!(!memory.thread_is_dead(claim, true).unwrap());
    // What a kill at this place leaves: the claim stays, the lock on the file is gone.
    let file = leaver.0.memory.file.write().unwrap().take();
    assert!(!memory.thread_is_dead(claim, true).unwrap(), "the file is still open");
    drop(file);
    assert!(memory.thread_is_dead(claim, true).unwrap());
    memory.meta(state).unwrap().store(taken, Ordering::SeqCst);
    drop(leaver);
}

/// A thread that lives and, as far as a word tells, is at work on the stripe of a list until it is told to end.
fn at_work(heap: &Heap, list: &List) -> (mpsc::Sender<()>, thread::JoinHandle<()>) {
    let (tell, told) = mpsc::channel::<()>();
    let (ready, is_ready) = mpsc::channel();
    let (own, stripe) = (heap.clone(), brief::of_object(list.object().at()));
    let holder = thread::spawn(move || {
        let [word, ..] = &own.0.memory.stripes().unwrap()[stripe];
        word.store(claim(&own).token(), Ordering::SeqCst);
        ready.send(()).unwrap();
        let _ = told.recv();
        word.store(0, Ordering::SeqCst);
    });
    is_ready.recv().unwrap();
    (tell, holder)
}

#[test]
fn waiting_for_the_lock_and_then_for_a_stripe_takes_no_longer_than_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let heap = scratch::heap(1 << 20);
    let memory = &heap.0.memory;
    let list = List::new(&heap, [1]).unwrap();
    let (tell, holder) = at_work(&heap, &list);
    let me = claim(&heap);
    // The lock is somebody's for most of that time, then it is waited for on behalf of the stripe.
    memory.meta(header::LOCK_OWNER).unwrap().store(me.token(), Ordering::SeqCst);
    let own = heap.clone();
    let waiter = thread::spawn(move || own.0.memory.lock(claim(&own), TIMEOUT));
    thread::sleep(TIMEOUT * 2 / 3);
    memory.unlock(me);
    let ended = waiter.join().unwrap();
    // What was left for the stripe.
    let in_time = matches!(ended, Err(Error::LockTimeout { held_for, .. }) if held_for < TIMEOUT);
    assert!(in_time, "{ended:?}");
    assert_eq!(word(&heap, header::LOCK_OWNER), 0);
    tell.send(()).unwrap();
    holder.join().unwrap();
}

/// What a signal's handler does to the segment while its thread waits.
#[allow(clippy::unnecessary_wraps, reason = "what a hook is")]
fn hooked(sleep: &mut dyn FnMut(), calm: bool) -> crate::Result<()> {
    sleep();
    if !calm && let Some((heap, list)) = HANDLER.take() {
        list.push(2).unwrap();
        // A whole operation would wait for the stripe in its turn.
        assert!(!heap.0.memory.is_locked_by(claim(&heap)), "the lock is held while handlers run");
        let _ = ENDS.take().unwrap().send(());
    }
    Ok(())
}

thread_local! {
    static HANDLER: std::cell::Cell<Option<(Heap, List)>> = const { std::cell::Cell::new(None) };
    static ENDS: std::cell::Cell<Option<mpsc::Sender<()>>> = const { std::cell::Cell::new(None) };
}

#[test]
fn a_handler_may_use_the_segment_while_its_thread_waits_for_a_stripe() {
    let heap = scratch::heap(1 << 20);
    let busy = List::new(&heap, [1]).unwrap();
    let (tell, holder) = at_work(&heap, &busy);
    let stripe = |list: &List| brief::of_object(list.object().at());
    // With room for what the handler appends, on another stripe: an operation on one object.
    let fresh = || List::new(&heap, [1]);
    let mut lists: Vec<List> = Vec::new();
    let me = claim(&heap);
    // Nothing is made while the stripe is held, so lists are made first.
    tell.send(()).unwrap();
    holder.join().unwrap();
    lists.extend((0..32).map(|_| fresh().unwrap()));
    let other = lists.iter().find(|list| stripe(list) != stripe(&busy)).unwrap().clone();
    other.reserve(8).unwrap();
    let (tell, holder) = at_work(&heap, &busy);
    lock::set_wait_hook(hooked);
    HANDLER.set(Some((heap.clone(), other.clone())));
    ENDS.set(Some(tell));
    heap.write(|_| {
        assert!(heap.0.memory.is_locked_by(me), "the handler has taken the lock away");
        Ok(())
    })
    .unwrap();
    assert!(HANDLER.take().is_none(), "the handler did not run");
    assert_eq!(other.len().unwrap(), 2);
    holder.join().unwrap();
}
