//! The operations of Rust workers, and what each one checks on the way.
//!
//! To add one: write a function and enter it in [`OPERATIONS`]; what must hold of it at rest goes
//! into `census.rs`. `worker.py` has the same table for Python workers; the two need not agree.

use shm::{Record, Value};

use crate::desk::{Desk, Outcome, PATIENCE, check};
use crate::ledger::{
    self, ACCOUNTS, Account, BULK, EACH, MEMBERS, MIRRORED, NAMES, PAIRS, RECORDS, SWAPS, UNIFORM,
    sum,
};

pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// How often it is chosen, among all.
    pub(crate) weight: u32,
    /// Whether it takes the writer lock.
    pub(crate) writes: bool,
    pub(crate) run: fn(&mut Desk) -> Outcome,
}

const fn operation(
    name: &'static str,
    weight: u32,
    writes: bool,
    run: fn(&mut Desk) -> Outcome,
) -> Operation {
    Operation { name, weight, writes, run }
}

pub(crate) const OPERATIONS: &[Operation] = &[
    operation("transfer in the list", 3, true, transfer_in_list),
    operation("transfer in the dict", 3, true, transfer_in_dict),
    operation("transfer in a pair", 3, true, transfer_in_pair),
    operation("swap two texts", 2, true, swap_texts),
    operation("change the mirrored", 2, true, change_mirrored),
    operation("toggle two members", 3, true, toggle_members),
    operation("change a record", 4, true, change_record),
    operation("look at a record", 2, false, look_at_record),
    operation("relay a message", 3, true, relay_message),
    operation("push and pop", 3, true, push_and_pop),
    operation("nest objects", 2, true, nest),
    operation("drop what is nested", 1, true, drop_nested),
    operation("look at what is nested", 2, false, look_at_nested),
    operation("fill the bytearray", 1, true, fill_bytes),
    operation("replace the bulk", 3, true, replace_bulk),
    operation("set all keys", 3, true, set_all_keys),
    operation("replace the blob", 1, true, replace_blob),
    operation("count", 2, true, count),
    operation("audit", 1, false, audit),
];

fn amount() -> i64 {
    fastrand::i64(1..100)
}

fn index(len: i64) -> usize {
    fastrand::i64(0..len) as usize
}

fn int(value: Option<&Value>) -> i64 {
    value.and_then(Value::as_int).unwrap_or(0)
}

fn transfer_in_list(desk: &mut Desk) -> Outcome {
    let _turn = desk.by_list.acquire(PATIENCE)?;
    let (amount, at) = (amount(), fastrand::i64(0..ACCOUNTS - 8));
    let mut part = desk.list.slice(Some(at), Some(at + 8), None)?;
    part[0] = (int(part.first()) - amount).into();
    part[7] = (int(part.last()) + amount).into();
    Ok(desk.list.set_slice(Some(at), Some(at + 8), None, part)?)
}

fn transfer_in_dict(desk: &mut Desk) -> Outcome {
    let _turn = desk.by_dict.acquire(PATIENCE)?;
    let (amount, from) = (amount(), fastrand::i64(0..NAMES));
    let keys = [from, (from + 1) % NAMES].map(|number| format!("account {number}"));
    let one = int(desk.dict.get_str(&keys[0])?.as_ref());
    let other = int(desk.dict.get_str(&keys[1])?.as_ref());
    Ok(desk.dict.update([(&keys[0], one - amount), (&keys[1], other + amount)])?)
}

fn transfer_in_pair(desk: &mut Desk) -> Outcome {
    let (amount, at) = (amount(), index(PAIRS));
    let old = desk.pairs.get(at)?.ok_or("a pair is gone")?;
    let pair = old.as_tuple().ok_or("a pair is no tuple")?;
    let (one, other) = (int(pair.first()), int(pair.get(1)));
    check(one + other == 2 * EACH, || format!("{old:?} does not add up"))?;
    // Fails if another worker was faster; then this transfer does not happen.
    desk.pairs.compare_exchange(at, &old, (one - amount, other + amount))?;
    Ok(())
}

fn swap_texts(desk: &mut Desk) -> Outcome {
    Ok(desk.swaps.swap(index(SWAPS), index(SWAPS))?)
}

/// A dict and a list with the same content: two calls, so the intent is written down first, and
/// whoever has the turn after a killed one does what that one intended.
fn change_mirrored(desk: &mut Desk) -> Outcome {
    let _turn = desk.by_mirror.acquire(PATIENCE)?;
    let me = i64::from(std::process::id());
    desk.root.set("mirror inside", me)?;
    finish_intent(desk)?;
    let (key, value) = (fastrand::i64(0..MIRRORED), fastrand::i64(..) >> 3);
    desk.root.set("mirror intent", (key, value))?;
    finish_intent(desk)?;
    let inside = desk.root.get("mirror inside")?;
    check(inside == Some(me.into()), || format!("{inside:?} is in my turn ({me})"))
}

/// Does what the intent says, and compares.
pub(crate) fn finish_intent(desk: &Desk) -> Outcome {
    let intent = desk.root.get("mirror intent")?.ok_or("the intent is gone")?;
    if let Some([key, value]) = intent.as_tuple() {
        desk.mirror_dict.set(key, value)?;
        desk.mirror_list.set(int(Some(key)) as usize, value)?;
        desk.root.set("mirror intent", ())?;
    }
    let list = desk.mirror_list.to_vec()?;
    let mut dict = desk.mirror_dict.to_vec()?;
    dict.sort_by_key(|(key, _)| key.as_int());
    let dict: Vec<Value> = dict.into_iter().map(|(_, value)| value).collect();
    check(dict == list, || format!("dict {dict:?} and list {list:?} are no mirrors"))
}

fn toggle_members(desk: &mut Desk) -> Outcome {
    let number = fastrand::i64(0..MEMBERS);
    desk.members.symmetric_difference_update([2 * number, 2 * number + 1])?;
    check_members(desk)
}

/// Of 2n and 2n + 1, one is a member.
pub(crate) fn check_members(desk: &Desk) -> Outcome {
    let members = desk.members.to_vec()?;
    let mut halves: Vec<i64> = members.iter().map(|member| int(Some(member)) / 2).collect();
    halves.sort_unstable();
    check(halves.iter().copied().eq(0..MEMBERS), || format!("members are {members:?}"))
}

fn record(desk: &Desk) -> Result<<Account as shm::Struct>::Ref, crate::desk::Fault> {
    let key = ledger::account_key(fastrand::i64(0..RECORDS));
    desk.root.get_as::<Account>(&key)?.ok_or_else(|| format!("{key:?} is gone").into())
}

fn change_record(desk: &mut Desk) -> Outcome {
    let record = record(desk)?;
    let number = fastrand::i64(-1_000_000..1_000_000);
    match fastrand::u8(0..5) {
        0 => record.store(ledger::account(number, 1, ledger::split(number)))?,
        1 => record.set_split(ledger::split(number))?,
        2 => drop(record.fetch_add_version(1)?),
        3 => record.split().update(|old| *old = ledger::split(old.left + 1))?,
        _ => record.update(|old| {
            *old = ledger::account(old.plus + number, old.version + 1, old.split.clone());
        })?,
    }
    Ok(())
}

fn look_at_record(desk: &mut Desk) -> Outcome {
    ledger::check_account(&record(desk)?.load()?)
}

fn relay_message(desk: &mut Desk) -> Outcome {
    if !desk.segment.has_messages()? {
        return Ok(());
    }
    let message = match desk.segment.take_message(Some(std::time::Duration::ZERO)) {
        Err(shm::Error::NoMessages { .. }) => return Ok(()),
        message => message?,
    };
    let number = ledger::check_token(&message)?;
    if fastrand::bool() {
        Ok(desk.segment.put_message(message)?)
    } else {
        Ok(desk.segment.put_message(&ledger::token(&desk.segment, number)?)?)
    }
}

fn push_and_pop(desk: &mut Desk) -> Outcome {
    desk.scratch.push((amount(), "a text that comes and goes", vec![1_u8; 300]))?;
    if desk.scratch.len()? > 50 {
        for item in [desk.scratch.pop_front()?, desk.scratch.pop()?].into_iter().flatten() {
            let whole = item.as_tuple().is_some_and(|item| item.len() == 3);
            check(whole, || format!("{item:?} was in the scratch list"))?;
        }
    }
    Ok(())
}

fn nested_key() -> String {
    format!("entry {}", fastrand::u32(0..20))
}

fn nest(desk: &mut Desk) -> Outcome {
    let amount = amount();
    let inner = desk.segment.list_of([Value::from("deep inside"), Value::from(amount)])?;
    let outer = desk.segment.dict([("inner", Value::from(&inner)), ("n", amount.into())])?;
    Ok(desk.nested.set(nested_key(), &outer)?)
}

fn drop_nested(desk: &mut Desk) -> Outcome {
    drop(desk.nested.remove(nested_key())?);
    Ok(())
}

/// The handles keep what they name alive, whoever drops the entry meanwhile.
fn look_at_nested(desk: &mut Desk) -> Outcome {
    let Some(entry) = desk.nested.get(nested_key())? else { return Ok(()) };
    let outer = entry.as_dict().ok_or("an entry is no dict")?;
    let inner = outer.get("inner")?.ok_or("an entry has no inner list")?;
    let (inner, n) = (inner.as_list().ok_or("no list is inside")?.to_vec()?, outer.get("n")?);
    check(inner.len() == 2 && inner.get(1) == n.as_ref(), || {
        format!("the nested {inner:?} and {n:?} disagree")
    })
}

fn fill_bytes(desk: &mut Desk) -> Outcome {
    desk.bytes.replace_all(&vec![fastrand::u8(..); fastrand::usize(1000..9000)])?;
    check_bytes(desk)
}

pub(crate) fn check_bytes(desk: &Desk) -> Outcome {
    let bytes = desk.bytes.to_vec()?;
    check(bytes.windows(2).all(|two| two[0] == two[1]), || "the bytes are not all equal".into())
}

/// Long holds of the lock, so that many victims die with it.
fn replace_bulk(desk: &mut Desk) -> Outcome {
    let number = amount();
    let fresh = (0..BULK).map(|_| Value::from(format!("a text of the bulk, number {number}")));
    desk.bulk.set_slice(None, None, None, fresh.collect())?;
    desk.bulk.reverse()?;
    check_bulk(desk)
}

pub(crate) fn check_bulk(desk: &Desk) -> Outcome {
    let bulk = desk.bulk.to_vec()?;
    let whole = bulk.is_empty() || bulk.len() == BULK as usize;
    check(whole && bulk.iter().all(|text| Some(text) == bulk.first()), || {
        format!("the bulk of {} texts is mixed", bulk.len())
    })
}

fn set_all_keys(desk: &mut Desk) -> Outcome {
    let number = amount();
    desk.uniform.update((0..UNIFORM).map(|n| (format!("key {n}"), number)))?;
    check_uniform(desk)
}

pub(crate) fn check_uniform(desk: &Desk) -> Outcome {
    let entries = desk.uniform.to_vec()?;
    let first = entries.first().map(|(_, value)| value);
    check(
        entries.len() == UNIFORM as usize && entries.iter().all(|(_, v)| Some(v) == first),
        || format!("the {} keys have several values", entries.len()),
    )
}

fn replace_blob(desk: &mut Desk) -> Outcome {
    let number = amount();
    desk.root.set("blob", (number, vec![number as u8; fastrand::usize(60_000..200_000)]))?;
    check_blob(desk)
}

pub(crate) fn check_blob(desk: &Desk) -> Outcome {
    let blob = desk.root.get("blob")?.ok_or("the blob is gone")?;
    let Some([number, bytes]) = blob.as_tuple() else { return Err("the blob is no pair".into()) };
    let bytes = bytes.as_bytes().ok_or("the blob has no bytes")?;
    let number = int(Some(number)) as u8;
    check(bytes.iter().all(|byte| *byte == number), || format!("the blob is not all {number}"))
}

fn count(desk: &mut Desk) -> Outcome {
    let now = int(Some(&desk.root.add("operations", 1)?));
    check(now > desk.seen, || format!("the count went from {} to {now}", desk.seen))?;
    desk.seen = now;
    Ok(())
}

/// What holds at every moment, because each change is one call.
pub(crate) fn audit(desk: &mut Desk) -> Outcome {
    let list = desk.list.to_vec()?;
    check(list.len() as i64 == ACCOUNTS && sum(&list) == ACCOUNTS * EACH, || {
        format!("the list sums to {}, not {}: {list:?}", sum(&list), ACCOUNTS * EACH)
    })?;
    let dict: Vec<Value> = desk.dict.to_vec()?.into_iter().map(|(_, value)| value).collect();
    check(dict.len() as i64 == NAMES && sum(&dict) == NAMES * EACH, || {
        format!("the dict sums to {}, not {}: {dict:?}", sum(&dict), NAMES * EACH)
    })?;
    let mut texts: Vec<String> =
        desk.swaps.to_vec()?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    texts.sort();
    let mut expected: Vec<String> = (0..SWAPS).map(ledger::swap_text).collect();
    expected.sort();
    check(texts == expected, || format!("swapped texts were lost: {texts:?}"))?;
    for check in [check_members, check_bytes, check_bulk, check_uniform, check_blob] {
        check(desk)?;
    }
    // The stored schema, as a reader without the Rust type sees it.
    let value = desk.root.get(ledger::account_key(0))?.ok_or("a record is gone")?;
    let values = value.as_record().map(Record::values).ok_or("a record is none")??;
    check(int(values.get(1)) + int(values.get(2)) == 0, || format!("a record has {values:?}"))
}
