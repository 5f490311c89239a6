//! The segment's own queue of messages: objects handed from any process to any other.
//!
//! A list that hangs from the header: putting appends, taking pops the first, each one atomic
//! operation, so a message is taken by exactly one and a killed taker had it or had it not. Objects
//! are handed over by reference. Who waits sleeps on the header's message event.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::event;
use crate::heap::Heap;
use crate::layout::header;
use crate::list::List;
use crate::value::Value;

const SPIN: Duration = Duration::from_micros(20);
/// Longest sleep between two looks.
const SLICE: Duration = Duration::from_millis(5);

/// Appends a message.
pub(crate) fn put(heap: &Heap, messages: &List, value: Value) -> Result<()> {
    messages.push(value)?;
    event::notify(heap.0.memory.meta(header::MESSAGE_EVENT)?);
    Ok(())
}

/// Takes the oldest message, waiting for one at most for `timeout` (`None`: for ever).
pub(crate) fn take(heap: &Heap, messages: &List, timeout: Option<Duration>) -> Result<Value> {
    let word = heap.0.memory.meta(header::MESSAGE_EVENT)?;
    let started = Instant::now();
    loop {
        let event = event::observe(word);
        // A look first: an empty queue is not worth the writer lock.
        if !messages.is_empty()?
            && let Some(value) = messages.pop_front()?
        {
            return Ok(value);
        }
        let waited = started.elapsed();
        if timeout.is_some_and(|timeout| waited >= timeout) {
            return Err(Error::NoMessages { name: heap.name().to_owned(), waited });
        }
        if waited < SPIN {
            std::hint::spin_loop();
        } else {
            let rest = timeout.map_or(SLICE, |timeout| timeout.saturating_sub(waited));
            event::wait(word, event, SLICE.min(rest))?;
        }
    }
}
