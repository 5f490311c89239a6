//! Two versions of a program share structs: each reads and changes what the other made.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]
#![allow(clippy::float_cmp, reason = "what is read is what was written, bit by bit")]

use shm::{Dict, Error, Record, Segment, SegmentOptions};

mod old {
    #[derive(shm::Shared, Debug, Clone, PartialEq)]
    #[shared(name = "app.Config", version = 1)]
    pub(crate) struct Config {
        pub(crate) retries: u16,
        pub(crate) ratio: f32,
        pub(crate) host: String,
        pub(crate) obsolete: u64,
        pub(crate) limits: [u32; 3],
        pub(crate) delta: i8,
    }
}

mod new {
    #[derive(shm::Shared, Debug, Clone, PartialEq)]
    #[shared(name = "app.Config", version = 2)]
    pub(crate) struct Config {
        #[shared(default)]
        pub(crate) tags: Vec<String>,
        #[shared(rename = "limits")]
        pub(crate) bounds: [u32; 3],
        pub(crate) ratio: f64,
        pub(crate) retries: u64,
        #[shared(default)]
        pub(crate) verbose: bool,
        pub(crate) host: String,
        pub(crate) delta: i32,
        #[shared(default)]
        pub(crate) comment: String,
    }
}

/// Reads what either made, and nothing that only one has.
mod middle {
    #[derive(shm::Shared, Debug, Clone, PartialEq)]
    #[shared(name = "app.Config")]
    pub(crate) struct Config {
        pub(crate) host: String,
        pub(crate) limits: [u32; 3],
    }
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).unwrap()
}

fn old_config() -> old::Config {
    old::Config {
        retries: 3,
        ratio: 0.5,
        host: "a host with a long name".into(),
        obsolete: 9,
        limits: [1, 2, 3],
        delta: -5,
    }
}

#[test]
fn a_new_program_reads_and_changes_what_an_old_one_made() {
    let segment = segment();
    let root: Dict = segment.root();
    let made = segment.alloc(old_config()).unwrap();
    root.insert("config", &made).unwrap();
    let config = root.get_as::<new::Config>("config").unwrap().unwrap();
    let copy = config.load().unwrap();
    assert_eq!((copy.retries, copy.ratio, copy.delta, copy.bounds), (3, 0.5, -5, [1, 2, 3]));
    assert_eq!((copy.tags.len(), copy.verbose, copy.comment.as_str()), (0, false, ""));
    assert_eq!(config.retries(), 3);
    assert_eq!(config.ratio(), 0.5);
    assert_eq!(config.delta(), -5);
    assert_eq!(config.bounds(), [1, 2, 3]);
    assert_eq!(config.host().unwrap(), "a host with a long name");
    assert!(!config.verbose());
    assert_eq!(config.tags().unwrap(), Vec::<String>::new());

    config.set_retries(9).unwrap();
    config.set_ratio(-1.5).unwrap();
    config.set_host("another host with a long name").unwrap();
    config.set_bounds([4, 5, 0]).unwrap();
    config.items_bounds().set(2, 5).unwrap();
    assert_eq!(config.items_bounds().fetch_add(2, 1).unwrap(), 5);
    assert_eq!(config.items_bounds().get(2).unwrap(), 6);
    assert_eq!(config.fetch_add_delta(-3).unwrap(), -5);
    let expected = old::Config {
        retries: 9,
        ratio: -1.5,
        host: "another host with a long name".into(),
        limits: [4, 5, 6],
        delta: -8,
        ..old_config()
    };
    assert_eq!(made.load().unwrap(), expected);

    for (error, said) in [
        (
            config.set_retries(70_000).unwrap_err(),
            "\"retries\" of this \"app.Config\" is u16 (u64 here",
        ),
        (config.set_retries(70_000).unwrap_err(), "takes 0 to 65535, not 70000"),
        (config.set_ratio(1e3 / 7.0).unwrap_err(), "takes what f32 can hold exactly, not 142.857"),
        (config.fetch_add_delta(-1000).unwrap_err(), "\"delta\" of this \"app.Config\" is i8"),
        (config.fetch_add_delta(-1000).unwrap_err(), "takes -128 to 127, not -1008; for that"),
    ] {
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = config.set_verbose(true).unwrap_err().to_string();
    assert!(error.contains("has no field \"verbose\""), "{error}");
    assert_eq!(made.load().unwrap(), expected);
    assert_eq!(Record::from(&config).schema().version(), 1);
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn a_new_program_updates_and_stores_what_an_old_one_made() {
    let segment = segment();
    let root: Dict = segment.root();
    let made = segment.alloc(old_config()).unwrap();
    root.insert("config", &made).unwrap();
    let config = root.get_as::<new::Config>("config").unwrap().unwrap();
    let seen = config.update(|config| {
        config.retries += 1;
        config.ratio = 0.25;
        config.host.push_str(", longer");
        config.bounds[1] = 20;
        config.retries
    });
    assert_eq!(seen.unwrap(), 4);
    let expected = old::Config {
        retries: 4,
        ratio: 0.25,
        host: "a host with a long name, longer".into(),
        limits: [1, 20, 3],
        ..old_config()
    };
    assert_eq!(made.load().unwrap(), expected);

    // All or nothing: what the old program has no place for, and numbers that do not fit there.
    for error in [
        config.update(|config| (config.retries, config.verbose) = (9, true)).unwrap_err(),
        config.update(|config| (config.retries, config.comment) = (9, "x".into())).unwrap_err(),
        config
            .update(|config| (config.retries, config.tags) = (9, vec![String::new()]))
            .unwrap_err(),
    ] {
        assert!(error.to_string().contains("it can be read as its default, not set"), "{error}");
    }
    for (error, said) in [
        (
            config.update(|config| (config.delta, config.retries) = (1, 1 << 40)).unwrap_err(),
            "takes 0 to 65535, not 1099511627776",
        ),
        (
            config.update(|config| (config.delta, config.ratio) = (1, 0.1)).unwrap_err(),
            "\"ratio\" of this \"app.Config\" is f32 (f64 here",
        ),
    ] {
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(made.load().unwrap(), expected);

    let copy = config.load().unwrap();
    config.store(new::Config { delta: -100, host: "short".into(), ..copy.clone() }).unwrap();
    let stored = old::Config { delta: -100, host: "short".into(), ..expected.clone() };
    assert_eq!(made.load().unwrap(), stored);
    config.store(new::Config { verbose: true, ..copy.clone() }).unwrap_err();
    assert_eq!(made.load().unwrap(), stored);
    // What only the old program has stays; the one in the middle has two fields of six.
    let middle = root.get_as::<middle::Config>("config").unwrap().unwrap();
    middle.update(|config| config.limits = [7, 8, 9]).unwrap();
    assert_eq!(made.load().unwrap(), old::Config { limits: [7, 8, 9], ..stored });
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn updates_through_two_versions_lose_nothing() {
    const EACH: u16 = 2_000;
    let segment = segment();
    let made = segment.alloc(old::Config { retries: 0, ..old_config() }).unwrap();
    segment.root().insert("config", &made).unwrap();
    std::thread::scope(|scope| {
        let other = segment.root().get_as::<new::Config>("config").unwrap().unwrap();
        scope.spawn(move || {
            for at in 0..EACH {
                other
                    .update(|config| {
                        (config.retries, config.delta) = (config.retries + 1, i32::from(at % 9));
                    })
                    .unwrap();
            }
        });
        for _ in 0..EACH {
            made.update(|config| (config.retries, config.obsolete) = (config.retries + 1, 7))
                .unwrap();
        }
    });
    assert_eq!(made.load().unwrap().retries, 2 * EACH);
}

#[test]
fn documentation_is_stored_with_the_schema() {
    /// What a part is.
    #[derive(shm::Shared)]
    struct Part {
        /// Its weight,
        /// in grams.
        weight: f64,
        plain: u8,
    }
    let segment = segment();
    segment.alloc(Part { weight: 0.5, plain: 1 }).unwrap();
    let other = Segment::attach(segment.name(), SegmentOptions::new()).unwrap();
    let schema = other.schemas().unwrap().pop().unwrap();
    let docs: Vec<&str> = schema.fields().iter().map(shm::Field::doc).collect();
    assert_eq!((schema.doc(), docs), ("What a part is.", vec!["Its weight,\nin grams.", ""]));
}

#[test]
fn both_versions_make_structs_in_one_segment() {
    let segment = segment();
    let root: Dict = segment.root();
    root.insert("old", segment.alloc(old_config()).unwrap()).unwrap();
    let config = root.get_as::<new::Config>("old").unwrap().unwrap().load().unwrap();
    root.insert("new", segment.alloc(config.clone()).unwrap()).unwrap();
    let read = root.get_as::<new::Config>("new").unwrap().unwrap();
    read.update(|config| config.tags.push("x".into())).unwrap();
    assert_eq!(read.load().unwrap().tags, ["x"]);
    for key in ["old", "new"] {
        let middle = root.get_as::<middle::Config>(key).unwrap().unwrap();
        assert_eq!(middle.load().unwrap().limits, [1, 2, 3]);
        middle.set_host("changed by the one in the middle").unwrap();
    }
    assert_eq!(read.host().unwrap(), "changed by the one in the middle");
    // What is wider there cannot be read here.
    let error = root.get_as::<old::Config>("new").unwrap_err().to_string();
    assert!(error.contains("retries: u64 in the segment, retries: u16 here"), "{error}");
    assert!(error.contains("obsolete: u64 only here"), "{error}");
    assert_eq!(segment.schemas().unwrap().len(), 2);
    assert!(segment.check().unwrap().is_sound());
}
