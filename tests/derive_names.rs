//! Names that are the user's choice: of parameters, `Self` in fields, defaults of parameters, names and things
//! that lints warn of. What the struct itself is allowed, generated code is allowed too.

#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unreachable_pub)]

use shm::{Link, Segment, SegmentOptions, Shared};

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(1 << 24)).expect("a new segment")
}

/// Parameters that are named as those of generated methods.
#[derive(Shared, Debug, Clone, PartialEq, Eq)]
pub struct Named<R: Shared, Returned: Shared, const VALUE: usize> {
    /// The first.
    pub first: R,
    /// The second.
    pub second: [Returned; VALUE],
}

#[test]
fn parameters_may_have_any_name() {
    let named = segment().alloc(Named { first: 1_u8, second: [2_i64, 3] }).unwrap();
    let sum = named.update(|named| {
        named.first += 1;
        named.second[1] += i64::from(named.first);
        named.second[1]
    });
    assert_eq!(sum.unwrap(), 5);
    assert_eq!(named.load().unwrap(), Named { first: 2, second: [2, 5] });
}

/// A tree, in its own words.
#[derive(Shared, Debug, Clone, PartialEq, Eq)]
pub struct Tree<T: Shared> {
    value: T,
    above: Option<Link<Self>>,
    below: Vec<Link<Self>>,
    sides: [Option<Link<Self>>; 2],
}

/// As many as the type says.
#[derive(Shared, Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    counts: [u32; Self::COUNT],
    kind: Kind,
}

/// As many as the type says.
#[derive(Shared, Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One of them.
    Few([u8; Self::COUNT]),
}

impl Counted {
    const COUNT: usize = 3;
}

impl Kind {
    const COUNT: usize = 2;
}

#[test]
fn fields_may_say_self() {
    let segment = segment();
    let leaf = |value: &str| Tree {
        value: value.to_owned(),
        above: None,
        below: Vec::new(),
        sides: [None, None],
    };
    let root: TreeRef<String> = segment.alloc(leaf("root")).unwrap();
    let child = segment.alloc(leaf("child")).unwrap();
    child.set_above(Some((&root).into())).unwrap();
    root.below().push((&child).into()).unwrap();
    root.items_sides().set(1, Some(child.into())).unwrap();
    let child = root.below().get(0).unwrap().unwrap().get().unwrap();
    assert_eq!(child.value().unwrap(), "child");
    assert_eq!(child.above().unwrap(), Some(Link::new(&root)));
    assert_eq!(root.sides().unwrap()[1], Some(child.into()));

    let counted = Counted { counts: [1, 2, 3], kind: Kind::Few([4, 5]) };
    let handle = segment.alloc(counted.clone()).unwrap();
    handle.items_counts().set(2, 9).unwrap();
    assert_eq!(handle.load().unwrap(), Counted { counts: [1, 2, 9], ..counted });
    assert!(segment.check().unwrap().is_sound());
}

/// Parameters that need not be said.
#[derive(Shared, Debug, Clone, PartialEq, Eq)]
pub struct Defaulted<T: Shared = u8, const N: usize = 4> {
    /// Some.
    pub items: [T; N],
}

#[test]
fn the_handle_has_the_defaults_of_its_struct() {
    let value: Defaulted = Defaulted { items: [1; 4] };
    let handle: DefaultedRef = segment().alloc(value.clone()).unwrap();
    assert_eq!(handle.load().unwrap(), value);
}

mod inner {
    use shm::Shared;

    /// Named as another program has it.
    #[derive(Shared, Debug, Clone, PartialEq)]
    #[allow(non_camel_case_types, non_snake_case, reason = "as the other program has it")]
    #[allow(unreachable_pub, reason = "as the other program has it")]
    pub struct plant_state {
        pub(super) RPM: u32,
        pub(super) targetTemperature: [f64; 2],
        #[deprecated = "use RPM"]
        pub(super) speed: u32,
        #[shared(default)]
        pub(super) State: state,
    }

    /// Not for new code.
    #[derive(Shared, Debug, Clone, PartialEq, Eq, Default)]
    #[allow(non_camel_case_types, unreachable_pub, reason = "as the other program has it")]
    pub enum state {
        #[deprecated = "use on"]
        #[allow(dead_code, reason = "old programs have it")]
        idle,
        /// It runs.
        #[default]
        on,
    }
}

#[test]
#[allow(deprecated, reason = "the struct has to be made")]
fn what_the_struct_is_allowed_its_handle_is_allowed() {
    let value = inner::plant_state {
        RPM: 1,
        targetTemperature: [2.0, 3.0],
        speed: 4,
        State: inner::state::on,
    };
    let handle = segment().alloc(value.clone()).unwrap();
    handle.fetch_add_RPM(5).unwrap();
    handle.set_targetTemperature([0.5; 2]).unwrap();
    assert_eq!((handle.RPM(), handle.speed()), (6, 4));
    assert_eq!(handle.State().unwrap(), inner::state::on);
    assert_eq!(handle.targetTemperature()[1].to_bits(), 0.5_f64.to_bits());
    assert_eq!(handle.load().unwrap().State, value.State);
}
