//! What the derive writes, as a reader of the code would want to see it, and that every mistake
//! of one struct is reported.

use expect_test::expect_file;
use syn::parse_quote;

fn expansion(input: &syn::DeriveInput) -> String {
    let tokens = crate::derive(input);
    prettyplease::unparse(&syn::parse2(tokens).unwrap())
}

/// The messages of all `compile_error!`s, in order.
fn messages(input: &syn::DeriveInput) -> Vec<String> {
    let file: syn::File = syn::parse2(crate::derive(input)).unwrap();
    let errors = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) => item.mac.parse_body::<syn::LitStr>().ok(),
        _ => None,
    });
    errors.map(|text| text.value()).collect()
}

#[test]
fn expansion_is_as_reviewed() {
    let input = parse_quote! {
        /// A sensor.
        #[shared(name = "plant.Sensor")]
        pub struct Sensor {
            /// Who it is.
            #[shared(readonly)]
            pub id: u64,
            pub(crate) count: u32,
            label: String,
            part: Option<Part>,
            #[shared(skip)]
            cache: Vec<u8>,
            #[shared(rename = "type")]
            r#kind: [f32; 3],
        }
    };
    expect_file!["snapshots/sensor.rs"].assert_eq(&expansion(&input));
}

#[test]
fn expansion_of_generics_is_as_reviewed() {
    let input = parse_quote! {
        #[shared(version = 2, bound(A: Shared + Copy))]
        pub struct Pair<A, const N: usize>(A, #[shared(default)] pub [u8; N]);
    };
    expect_file!["snapshots/pair.rs"].assert_eq(&expansion(&input));
}

#[test]
fn expansion_of_enums_is_as_reviewed() {
    let input = parse_quote! {
        /// What it does.
        #[repr(i16)]
        enum State {
            Idle = -1,
            Running {
                /// Turns.
                rpm: u32,
                #[shared(skip)]
                cache: u8,
            },
            Failed(String),
        }
    };
    expect_file!["snapshots/state.rs"].assert_eq(&expansion(&input));
}

#[test]
fn fallback_is_as_reviewed() {
    let input = parse_quote! {
        #[shared(crate = renamed)]
        struct Broken {
            good: u32,
            bad: usize,
        }
    };
    expect_file!["snapshots/broken.rs"].assert_eq(&expansion(&input));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let input = parse_quote! {
        #[shared(nam = "x", name = "a b", crate = "y")]
        struct Broken<'a> {
            a: usize,
            #[shared(rename = "a", rename = "c", foo)]
            b: &'a str,
            load: std::rc::Rc<u8>,
            #[shared(skip, readonly)]
            c: Vec<u8>,
        }
    };
    let found = messages(&input);
    for part in [
        "unknown attribute `nam`",
        "`crate` needs a path",
        "duplicate attribute `rename`",
        "unknown attribute `foo`",
        "so `readonly` has no effect",
        "a borrow ends with this process",
        "\"a b\" is no name for a schema",
        "the name \"a\" is taken by the field `a`",
        "the handle has its own method `load`",
        "`usize` differs between platforms",
        "use `String`",
        "`Rc` points into one process",
    ] {
        assert!(found.iter().any(|message| message.contains(part)), "{part} not in {found:#?}");
    }
    assert_eq!(found.len(), 12);
}

#[test]
fn every_message_says_what_to_use() {
    let inputs: [syn::DeriveInput; 3] = [
        parse_quote! {
            enum E { A = 1, #[shared(skip)] B { #[shared(readonly)] a: &'static str, b: usize } }
        },
        parse_quote! { struct T((), (u8, isize)); },
        parse_quote! {
            struct S {
                a: isize, b: *const u8, c: fn(), d: (u8, usize), e: Box<u8>, f: std::sync::Mutex<u8>,
                g: VecDeque<u8>, h: IndexMap<u8, u8>, i: Box<dyn Fn()>, j: Option<&'static [u8]>,
                k: [usize; 3], l: S, m: PhantomData<u8>, n: HashSet<u8>, o: Cow<'static, str>,
            }
        },
    ];
    let found: Vec<String> = inputs.iter().flat_map(messages).collect();
    assert_eq!(found.len(), 22, "{found:#?}");
    for message in found {
        assert!(message.contains("; use "), "{message}");
        assert!(!message.ends_with('.'), "{message}");
    }
}
