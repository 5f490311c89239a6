use shm::Shared;

/// Comments that end elsewhere: */ /* """ and a backslash\
/// {braces} 'quotes' \u{41}
#[derive(Shared)]
#[shared(name = "one.Thing")]
pub struct Thing {
    /// Its own: \
    #[shared(rename = "self")]
    pub self_: u8,
    #[shared(readonly)]
    pub class: u16,
    pub r#while: f64,
    pub NULL: i8,
    pub int: [u8; 3],
    pub int_: u8,
    #[shared(rename = "load")]
    pub load_: String,
    #[shared(rename = "set_x")]
    pub set_x_: u8,
    pub x: u8,
    #[shared(rename = "_")]
    pub ___: u8,
    pub __hidden: u8,
}

#[derive(Shared)]
#[shared(name = "two.Thing", version = 2)]
pub struct two_Thing {
    pub thing: Option<Thing>,
    pub lonely: Vec<shm::Link<Lonely>>,
}

#[derive(Shared)]
#[shared(name = "Kind")]
#[repr(u8)]
pub enum Kind {
    Fn = 0,
    r#loop { #[shared(rename = "self")] self_: u8, r#in: Option<u16> } = 1,
    Tuple(i128, String) = 2,
}

#[derive(Shared)]
#[shared(name = "some.Vec<?str,4>")]
pub struct Vec__str_4 {
    pub first: Option<String>,
    pub second: [u8; 4],
}

#[derive(Shared)]
#[shared(name = "Holder")]
pub struct Holder {
    pub kind: Kind,
    pub this: Option<shm::Link<Holder>>,
    pub pair: Vec__str_4,
}

/// Only links to it are known, not its fields.
#[derive(Shared)]
#[shared(name = "Lonely")]
pub struct Lonely;
