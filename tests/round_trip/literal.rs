//! A model as a Python literal, in the form in which a shared struct is read there.

use std::fmt::{Display, Write as _};

use crate::model::{Level, Model, Node, Side, State};

fn text(text: &str) -> String {
    let mut literal = String::from("'");
    for one in text.chars() {
        let _ = write!(literal, "\\U{:08x}", u32::from(one));
    }
    literal + "'"
}

fn float(number: f64) -> String {
    if number.is_infinite() {
        // A literal that is too large is infinite.
        return if number > 0.0 { "1e999".into() } else { "-1e999".into() };
    }
    format!("{number:?}")
}

fn tuple<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    let all: String = items.iter().map(|item| one(item) + ",").collect();
    if all.is_empty() { "()".into() } else { format!("({all})") }
}

fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(one).collect::<Vec<_>>().join(","))
}

fn entries<'a, K: 'a, V: 'a>(
    items: impl IntoIterator<Item = (&'a K, &'a V)>,
    key: impl Fn(&K) -> String,
    value: impl Fn(&V) -> String,
) -> String {
    let all: Vec<_> = items.into_iter().map(|(k, v)| format!("{}:{}", key(k), value(v))).collect();
    format!("{{{}}}", all.join(","))
}

fn option<T>(value: Option<&T>, one: impl Fn(&T) -> String) -> String {
    value.map_or_else(|| "None".into(), one)
}

fn flag(flag: bool) -> String {
    if flag { "True".into() } else { "False".into() }
}

fn plain(number: &impl Display) -> String {
    number.to_string()
}

fn side(side: Side) -> String {
    format!("'{side:?}'")
}

fn state(state: &State) -> String {
    match state {
        State::Idle => "'Idle'".into(),
        State::Running { rpm, since } => format!("('Running',{rpm},{})", since.as_nanos()),
        State::Failed(why, code) => format!("('Failed',{},{})", text(why), list(code, plain)),
    }
}

fn level(level: &Level) -> String {
    format!("({},{},{})", float(level.price), level.size, side(level.side))
}

fn level_fields(level: &Level) -> String {
    let Level { price, size, side: at } = level;
    format!("{{'price':{},'size':{size},'side':{}}}", float(*price), side(*at))
}

fn node(value: u64) -> String {
    let Node { value, next } = Node { value, next: None };
    format!("{{'value':{value},'next':{}}}", option(next.as_ref(), |_| String::new()))
}

/// The dict of all fields.
pub(crate) fn fields(model: &Model) -> String {
    let (on, letter, small, word, natural, long, count, wide, widest) = &model.plain;
    let single = |number: &f32| float(f64::from(*number));
    let maybe = |(on, three): &(bool, [u16; 3])| format!("({},{})", flag(*on), tuple(three, plain));
    let (digit, title, last) = (&model.numbered.0, &model.numbered.1, &model.numbered.2);
    let set: Vec<_> = model.items.2.iter().collect();
    let all = [
        ("flag", flag(*on)),
        ("letter", text(&letter.to_string())),
        ("small", format!("{small:?}")),
        ("word", plain(word)),
        ("natural", plain(natural)),
        ("long", plain(long)),
        ("count", plain(count)),
        ("wide", plain(wide)),
        ("widest", plain(widest)),
        ("single", single(&model.floats.0)),
        ("double", float(model.floats.1)),
        ("span", plain(&model.times.0.as_nanos())),
        ("moment", plain(&model.times.1)),
        ("grid", tuple(&model.grid, |row| tuple(row, plain))),
        ("maybe", option(model.maybe.as_ref(), maybe)),
        ("side", side(model.side)),
        ("state", state(&model.state)),
        ("states", tuple(&model.states, |one| option(one.as_ref(), state))),
        ("unit", "{}".into()),
        (
            "numbered",
            format!(
                "{{'_0':{digit},'_1':{},'_2':({},{})}}",
                text(title),
                last.0,
                text(&last.1.to_string())
            ),
        ),
        (
            "both",
            format!("{{'left':{},'right':{}}}", model.pair.left, tuple(&model.pair.right, single)),
        ),
        ("spare", option(model.spare.as_ref(), level_fields)),
        ("raw", format!("({},{},{})", model.raw.red, model.raw.rest[0], model.raw.rest[1])),
        ("text", text(&model.texts.0)),
        ("note", option(model.texts.1.as_ref(), |note| text(note))),
        ("samples", list(&model.samples, |number| float(*number))),
        ("levels", list(&model.levels, level)),
        ("names", list(&model.names, |name| text(name))),
        ("absent", option(model.absent.as_ref(), |numbers| list(numbers, plain))),
        ("counts", entries(&model.counts, |key| text(key), plain)),
        ("labels", entries(&model.labels, plain, |label| text(label))),
        ("any", plain(&model.items.3)),
        ("list", list(&model.items.0, plain)),
        ("dict", entries(&model.items.1, |key| text(key), plain)),
        (
            "set",
            if set.is_empty() {
                "set()".into()
            } else {
                format!("{{{}}}", list(&set, plain).trim_matches(['[', ']']))
            },
        ),
        ("bytes", format!("bytearray({})", list(&model.bytes, plain))),
        ("link", node(model.link)),
        ("next", option(model.next.as_ref(), |value| node(*value))),
    ];
    let all: Vec<_> = all.iter().map(|(name, value)| format!("'{name}':{value}")).collect();
    format!("{{{}}}", all.join(","))
}
