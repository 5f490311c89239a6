//! Queues that fill their segment are emptied: message by message, and by leases.

use shm::{Draft, Lease, Queue, Segment, Value};

use crate::{NOW, TEXT, assert_sound, fill, small, until_full};

/// A dict of a list, as Python puts it.
fn message(segment: &Segment, number: i64) -> Draft {
    let mut draft = Draft::new(segment.heap());
    draft.key("number");
    draft.int(number);
    draft.key("list");
    draft.text(TEXT);
    draft.list(1);
    draft.dict(2);
    draft
}

fn number_in(value: &Value) -> i64 {
    value.as_dict().unwrap().get("number").unwrap().unwrap().try_into().unwrap()
}

fn filled_queue(segment: &Segment) -> (Queue, i64) {
    let queue = segment.queue("jobs", 0).unwrap();
    let mut count = 0;
    until_full(|| {
        queue.put(message(segment, count), NOW)?;
        count += 1;
        Ok(())
    });
    fill(segment);
    assert!(count > 1000, "{count} messages");
    (queue, count)
}

#[test]
fn a_queue_that_fills_its_segment_is_emptied_message_by_message() {
    let segment = small();
    let (queue, count) = filled_queue(&segment);
    assert_eq!(number_in(&queue.peek(false).unwrap().unwrap()), 0);
    assert_eq!(number_in(&queue.peek(true).unwrap().unwrap()), count - 1);
    assert_eq!(number_in(&queue.get_newest().unwrap().unwrap()), count - 1);
    let kept: Vec<Value> = (0..count - 1).map(|_| queue.get(NOW).unwrap()).collect();
    assert!(kept.iter().enumerate().all(|(at, value)| number_in(value) == at as i64));
    assert!(queue.is_empty().unwrap());
    assert_sound(&segment, "emptied");
}

#[test]
fn a_queue_that_fills_its_segment_is_emptied_by_leases() {
    let segment = small();
    let (queue, count) = filled_queue(&segment);
    for number in 0..count {
        let lease = queue.get_lease(NOW).unwrap();
        assert_eq!(number_in(lease.value()), number);
        match number % 10 {
            // It comes back.
            3 => {
                lease.give_back().unwrap();
                let again = queue.get_lease(NOW).unwrap();
                assert_eq!(number_in(again.value()), number);
                again.ack().unwrap();
            }
            _ => lease.ack().unwrap(),
        }
        if number % 3000 == 0 {
            fill(&segment);
        }
    }
    assert!(queue.is_empty().unwrap() && queue.leased().unwrap() == 0);
    assert_sound(&segment, "emptied");
}

#[test]
fn many_leases_of_a_full_segment_are_held_and_settled_in_any_order() {
    let segment = small();
    let (queue, count) = filled_queue(&segment);
    for round in 0..20 {
        let mut held: Vec<Lease> = (0..32).map(|_| queue.get_lease(NOW).unwrap()).collect();
        assert_eq!(queue.leased().unwrap(), 32);
        let numbers: Vec<i64> = held.iter().map(|lease| number_in(lease.value())).collect();
        assert_eq!(numbers, (round * 32..round * 32 + 32).collect::<Vec<_>>());
        while !held.is_empty() {
            held.swap_remove(held.len() * 7 / 10).ack().unwrap();
        }
        fill(&segment);
    }
    // Dropped, they come back in their order.
    let held: Vec<Lease> = (0..5).map(|_| queue.get_lease(NOW).unwrap()).collect();
    held.into_iter().rev().for_each(drop);
    assert_eq!(number_in(&queue.get(NOW).unwrap()), 640);
    assert_eq!(queue.len().unwrap() as i64, count - 641);
    assert_sound(&segment, "in the end");
}

#[test]
fn messages_of_the_segment_itself_are_taken_too() {
    let segment = small();
    let mut count = 0;
    until_full(|| {
        segment.put_message(message(&segment, count))?;
        count += 1;
        Ok(())
    });
    fill(&segment);
    for number in 0..count {
        assert_eq!(number_in(&segment.take_message(NOW).unwrap()), number);
    }
    assert_sound(&segment, "emptied");
}
