//! A shared configuration while a program is upgraded: version 1 and version 2 of it run side by
//! side, and each reads and changes what the other made.
//!
//! Version 2 widened a number, renamed a field in its source, dropped one and added two.

use shm::{Segment, SegmentOptions};

mod version1 {
    /// What the service is set to.
    #[derive(shm::Shared, Debug)]
    #[shared(name = "service.Config", version = 1)]
    pub(crate) struct Config {
        pub(crate) retries: u16,
        pub(crate) host: String,
        pub(crate) obsolete: bool,
    }
}

mod version2 {
    /// What the service is set to.
    #[derive(shm::Shared, Debug)]
    #[shared(name = "service.Config", version = 2)]
    pub(crate) struct Config {
        #[shared(rename = "host")]
        pub(crate) address: String,
        pub(crate) retries: u64,
        /// New: what version 1 made has none.
        #[shared(default)]
        pub(crate) mirrors: Vec<String>,
        #[shared(default)]
        pub(crate) verbose: bool,
    }
}

fn main() -> Result<(), shm::Error> {
    let segment = Segment::create_anonymous(SegmentOptions::new().size(16 << 20))?;
    let root = segment.root();

    // Version 1 is running.
    let first = segment.alloc(version1::Config {
        retries: 3,
        host: "service.internal".into(),
        obsolete: true,
    })?;
    root.insert("config", &first)?;

    // Version 2 comes up beside it, reads the old configuration and changes it in place.
    let config = root.get_as::<version2::Config>("config")?.expect("version 1 put it there");
    let copy = config.load()?;
    println!("version 2 reads {copy:?}");
    assert_eq!((copy.retries, copy.address.as_str(), copy.verbose), (3, "service.internal", false));
    config.set_retries(5)?;
    config.set_address("service-2.internal")?;
    println!("version 1 reads {:?}", first.load()?);
    assert_eq!((first.retries(), first.obsolete()), (5, true));

    // What cannot be is said, and changes nothing: too large for version 1, unknown to it.
    for refused in [config.set_retries(1 << 40), config.set_verbose(true)] {
        println!("refused: {}", refused.expect_err("version 1 could not read it"));
    }

    // When all of version 1 are gone, version 2 puts its own in the place.
    let config = segment.alloc(version2::Config {
        mirrors: vec!["mirror.internal".into()],
        verbose: true,
        ..config.load()?
    })?;
    root.insert("config", &config)?;
    config.update(|config| config.retries = 1 << 40)?;
    println!("version 2 reads {:?}", config.load()?);

    // A version 1 that comes late is told what differs.
    let late = root.get_as::<version1::Config>("config");
    println!("version 1: {}", late.expect_err("a number is wider than it knows"));
    Ok(())
}
