//! Cycles of waiters: who waits for whom, and the sentence that says so.
//!
//! A sleeping waiter's thread slot says which primitive it waits for; a primitive that is held names
//! its holder. Following both from oneself either ends (somebody runs, or holds nothing that has an
//! owner) or comes back: then nobody in the chain will ever go on. Nothing is locked for the look;
//! whoever looks believes a cycle only when it finds it twice.

use super::line::Line;
use super::{Form, LINE, OWNER, PLACES, Primitive, start};
use crate::cell::Offset;
use crate::dict::Dict;
use crate::error::Result;
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::{header, thread};
use crate::peers::ThreadClaim;
use crate::primitive::Ordering;
use crate::value::Value;

/// Longest chain that is followed.
const LONGEST: usize = 64;

/// Who holds the primitive whose words start at an offset, if such a thing has a holder.
fn holder(heap: &Heap, at: Offset) -> Result<Option<(Form, ThreadClaim)>> {
    let Some(form) = Form::of(heap.load(at)?) else { return Ok(None) };
    let claim = match form {
        Form::Lock | Form::RLock | Form::RwLock | Form::Object => {
            ThreadClaim::of_token(heap.word(at + OWNER)?.load(Ordering::Acquire))
        }
        Form::Turn => {
            let line = Line::new(heap.words(at + LINE, PLACES as usize)?);
            match line.and_then(|line| line.holder(0)) {
                Some((_, who)) => heap.0.memory.claim_of(who)?,
                None => None,
            }
        }
        Form::Semaphore | Form::Event | Form::Barrier | Form::Condition => None,
    };
    Ok(claim.map(|claim| (form, claim)))
}

/// One link of a chain: whoever holds the primitive of the link before, and what it waits for.
struct Link {
    owner: ThreadClaim,
    waits_for: Offset,
}

/// The cycle that the calling thread's wait for `wanted` closes: a print of it, and its words.
pub(super) fn cycle(wanted: &Primitive, me: ThreadClaim) -> Result<Option<(u64, String)>> {
    let heap = wanted.heap();
    let memory = &heap.0.memory;
    let mut at = wanted.at;
    let mut print = 0_u64;
    let mut links: Vec<Link> = Vec::new();
    while links.len() < LONGEST {
        let Some((form, owner)) = holder(heap, at)? else { return Ok(None) };
        print = print.rotate_left(7) ^ owner.token() ^ at;
        if owner == me {
            // Alone with a lock of one's own: another thread may give it back.
            let alone = links.is_empty() && form == Form::Lock;
            return if alone { Ok(None) } else { Ok(Some((print | 1, tell(wanted, &links)?))) };
        }
        if owner.slot >= memory.geometry.threads || memory.thread_is_dead(owner, false)? {
            return Ok(None);
        }
        let waiting_on = memory.geometry.thread_at(owner.slot) + thread::WAITING_ON;
        at = memory.meta(waiting_on)?.load(Ordering::Acquire);
        if at == 0 || !at.is_multiple_of(64) {
            return Ok(None);
        }
        links.push(Link { owner, waits_for: at });
    }
    Ok(None)
}

fn tell(wanted: &Primitive, links: &[Link]) -> Result<String> {
    let heap = wanted.heap();
    let mut chain = format!("pid {} waits for {wanted}", std::process::id());
    for Link { owner, waits_for } in links {
        let (pid, name) = heap.0.memory.describe_owner(owner.token()).unwrap_or_default();
        let what = name_of(heap, *waits_for)?;
        chain = format!("{chain}, held by pid {pid} ({name}), which waits for {what}");
    }
    Ok(format!("{chain}, held by the first"))
}

/// The primitive whose words start there, as the dict of names knows it.
fn name_of(heap: &Heap, at: Offset) -> Result<String> {
    let tag = heap.load(at)?;
    if Form::of(tag) == Some(Form::Object) {
        return Ok(format!(
            "{} {}",
            Form::Object.word(),
            super::container::describe(heap, tag >> 8)
        ));
    }
    if let Some(reference) = heap.header_cell(header::NAMES)?.as_ref() {
        let names = Dict::from_object(Object::pin(heap, reference)?);
        for (key, value) in names.to_vec()? {
            if let (Value::Str(key), Value::ByteArray(block)) = (key, value)
                && start(heap, &block)? == at
            {
                let (form, name) = key.split_once('/').unwrap_or(("", &key));
                return Ok(format!("{form} {name:?}"));
            }
        }
    }
    Ok(format!("something at {at:#x}"))
}
