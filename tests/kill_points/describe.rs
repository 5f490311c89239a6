//! A segment's content in words: two segments with equal words hold equal content.

use shm::{DictFlavour, Error, List, ListFlavour, Result, Segment, Value};

/// Everything that hangs from the root.
pub(crate) fn root(segment: &Segment) -> Result<String> {
    value(&Value::Dict(segment.try_root()?))
}

fn all(values: &[Value]) -> Result<Vec<String>> {
    values.iter().map(value).collect()
}

/// A list's items, one after the other: in a full segment there is no place to pin all of them.
fn items(list: &List) -> Result<Vec<String>> {
    let mut items = Vec::new();
    while let Some(item) = list.get(items.len())? {
        items.push(value(&item)?);
    }
    Ok(items)
}

/// What a container is besides, if it is anything.
fn flavour<F: std::fmt::Debug + PartialEq>(flavour: &F, plain: &F) -> String {
    if flavour == plain { String::new() } else { format!("{flavour:?} ") }
}

/// A value in full.
pub(crate) fn value(value: &Value) -> Result<String> {
    match content(value) {
        Err(Error::Closed { .. }) => Ok("freed".to_owned()),
        content => content,
    }
}

fn content(value: &Value) -> Result<String> {
    Ok(match value {
        Value::List(list) => {
            let name = flavour(&list.flavour()?, &ListFlavour::Plain);
            format!("{name}[{}]", items(list)?.join(", "))
        }
        Value::Dict(dict) => {
            let mut parts = Vec::new();
            for (key, item) in dict.to_vec()? {
                parts.push(format!("{}: {}", self::value(&key)?, self::value(&item)?));
            }
            let name = flavour(&dict.flavour()?, &DictFlavour::Plain);
            format!("{name}{{{}}}", parts.join(", "))
        }
        Value::Set(set) => format!("set({})", all(&set.to_vec()?)?.join(", ")),
        Value::ByteArray(bytes) => format!("bytearray({:?})", bytes.to_vec()?),
        Value::Tuple(items) => format!("({})", all(items)?.join(", ")),
        Value::FrozenSet(items) => {
            // In the order of keyed hashes, and each segment has a key of its own.
            let mut parts = all(items)?;
            parts.sort();
            format!("frozenset({})", parts.join(", "))
        }
        Value::Record(record) => {
            format!("{}({})", record.schema().name(), all(&record.values()?)?.join(", "))
        }
        Value::Array(array) => {
            let mut bytes = vec![0; array.nbytes()];
            array.read_bytes(0, &mut bytes)?;
            format!("array({:?}, {:?}, {bytes:?})", array.dtype(), array.shape())
        }
        other => format!("{other:?}"),
    })
}
