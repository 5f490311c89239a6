//! Queues, leases and topics: putting, taking, settling, giving back, publishing, closing.

use std::time::Duration;

use shm::{Draft, Error, Queue, Result, Segment, Value};

use super::{not_a, subject, text};
use crate::operation::{Operation, State, cross};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn queue(segment: &Segment) -> Result<Queue> {
    segment.queue("q", 0)
}

/// A queue that has held as many items as this, of which so many were taken.
fn filled(segment: &Segment, put: i64, taken: i64) -> Result<Value> {
    let queue = queue(segment)?;
    for number in 0..put {
        queue.put(segment.list_of([text(number)])?, NOW)?;
    }
    for _ in 0..taken {
        queue.get(NOW)?;
    }
    subject(segment, 0)
}

/// The queue does not show in the root: the step marks there that it is done.
fn done(segment: &Segment) -> Result<()> {
    segment.root().set("x", 1)
}

/// A dict of a list, a set and text, not stored yet.
pub(super) fn nested(segment: &Segment) -> Draft {
    let mut draft = Draft::new(segment.heap());
    draft.key("a key that is long");
    draft.text("a text that is long");
    draft.key("list");
    draft.int(1);
    draft.list(1);
    draft.key("set");
    draft.key("member");
    draft.set(1);
    draft.dict(3);
    draft
}

/// Every item is whole, nobody's lease stays, and the queue works.
fn drain(segment: &Segment) -> Result<()> {
    let queue = queue(segment)?;
    while !queue.is_empty()? || queue.reclaim()? > 0 {
        let item = queue.get(NOW)?;
        if !matches!(&item, Value::List(_) | Value::Dict(_) | Value::Str(_)) {
            return Err(not_a("item", &item));
        }
    }
    if queue.leased()? > 0 {
        return Err(Error::InvalidArgument { what: "a lease of the dead stays".to_owned() });
    }
    if !queue.is_closed()? {
        queue.put(text(3), NOW)?;
        queue.get(NOW)?;
    }
    Ok(())
}

fn queues() -> Vec<Operation> {
    let states: [(&str, State); 6] = [
        ("none", |s| subject(s, 0)),
        ("one", |s| filled(s, 1, 0)),
        ("no room behind", |s| filled(s, 6, 0)),
        ("room in front", |s| filled(s, 6, 5)),
        ("much too roomy", |s| filled(s, 120, 100)),
        ("a packed message", |s| {
            queue(s)?.put(nested(s), NOW)?;
            subject(s, 0)
        }),
    ];
    let all = cross(
        &states,
        &[
            ("put an object", |segment, _| {
                queue(segment)?.put(segment.list_of([text(2)])?, NOW)?;
                done(segment)
            }),
            ("put a nested dict", |segment, _| {
                queue(segment)?.put(nested(segment), NOW)?;
                done(segment)
            }),
            ("take what is not built", |segment, _| {
                let taken = queue(segment)?.get_with(NOW, |_| Ok(()));
                if !matches!(taken, Ok(_) | Err(Error::QueueEmpty { .. })) {
                    taken?;
                }
                done(segment)
            }),
            ("take the newest", |segment, _| {
                queue(segment)?.get_newest()?;
                done(segment)
            }),
            ("look at the newest", |segment, _| {
                queue(segment)?.peek(true)?;
                done(segment)
            }),
            ("put and take", |segment, _| {
                let queue = queue(segment)?;
                queue.put(text(2), NOW)?;
                queue.get(NOW)?;
                done(segment)
            }),
            ("take a lease and acknowledge", |segment, _| {
                let queue = queue(segment)?;
                match queue.get_lease(NOW) {
                    Ok(lease) => lease.ack()?,
                    Err(Error::QueueEmpty { .. }) => {}
                    Err(error) => return Err(error),
                }
                done(segment)
            }),
            ("take a lease and give it back", |segment, _| {
                let queue = queue(segment)?;
                match queue.get_lease(NOW) {
                    Ok(lease) => lease.give_back()?,
                    Err(Error::QueueEmpty { .. }) => {}
                    Err(error) => return Err(error),
                }
                done(segment)
            }),
            ("close and discard", |segment, _| {
                queue(segment)?.close(true)?;
                done(segment)
            }),
        ],
    );
    all.into_iter().map(|operation| operation.surviving(drain)).collect()
}

fn topic(segment: &Segment, published: i64) -> Result<Value> {
    let topic = segment.topic("t", 2)?;
    for number in 0..published {
        topic.publish(segment.list_of([text(number)])?)?;
    }
    subject(segment, 0)
}

/// Everything that the topic keeps is whole.
fn replay(segment: &Segment) -> Result<()> {
    let mut place = segment.topic("t", 2)?.replay()?;
    while place.pending()? > 0 {
        let message = place.get(NOW)?;
        if !matches!(&message, Value::List(_)) {
            return Err(not_a("message", &message));
        }
    }
    Ok(())
}

fn topics() -> Vec<Operation> {
    let states: [(&str, State); 3] = [
        ("none", |s| topic(s, 0)),
        ("some", |s| topic(s, 1)),
        ("as many as it keeps", |s| topic(s, 5)),
    ];
    let all = cross(
        &states,
        &[("publish", |segment, _| {
            segment.topic("t", 2)?.publish(segment.list_of([text(9)])?)?;
            done(segment)
        })],
    );
    all.into_iter().map(|operation| operation.surviving(replay)).collect()
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = queues();
    all.extend(topics());
    all
}
