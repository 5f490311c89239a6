//! Unit tests of schemas: text, layout, comparison.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Arc<Schema> {
    Schema::parse(text).unwrap()
}

#[test]
fn text_round_trips() {
    for text in [
        "A{}",
        "plant.Sensor{id!:u64,position:[f32;3],label:str,cal:?plant.Part{w:f64,n:[[i8;2];4]},x:dict}",
        "Maß{größe:?value,o:??str}",
    ] {
        let schema = parse(text);
        assert_eq!(schema.text(), text);
        assert_eq!(schema.fingerprint(), fingerprint::of_text(text));
    }
}

#[test]
fn constants_and_text_give_one_fingerprint() {
    const PART: StructInfo =
        StructInfo::new("plant.Part", &[FieldInfo::new("w", &TypeInfo::Scalar(Scalar::F64), true)]);
    const INFO: StructInfo = StructInfo::new(
        "plant.Sensor",
        &[
            FieldInfo::new("id", &TypeInfo::Array(&TypeInfo::Scalar(Scalar::U8), 120), false),
            FieldInfo::new("cal", &TypeInfo::Option(&TypeInfo::Struct(&PART)), false),
            FieldInfo::new("x", &TypeInfo::Str, false),
        ],
    );
    let schema = INFO.schema();
    assert_eq!(schema.text(), "plant.Sensor{id:[u8;120],cal:?plant.Part{w!:f64},x:str}");
    assert_eq!(INFO.fingerprint, fingerprint::of_text(schema.text()));
    assert_eq!(*Schema::parse(schema.text()).unwrap(), *schema);
}

#[test]
fn layout_is_that_of_c() {
    let schema =
        parse("A{a:u8,b:u32,c:[u16;3],s:str,d:u128,n:B{x:u8,t:value,y:f64},o:?i64,p:?str}");
    let places: Vec<(usize, usize)> =
        schema.fields().iter().map(|f| (f.place().cells, f.place().plain)).collect();
    assert_eq!(places, [(0, 0), (0, 4), (0, 8), (0, 14), (1, 16), (1, 32), (2, 48), (2, 64)]);
    assert_eq!(schema.layout(), Layout { cells: 3, size: 64, align: 16 });
}

#[test]
fn differences_are_listed_side_by_side() {
    let stored = parse("A{a:u8,b:u32,c!:str,e:u8,f:u8}");
    let asked = parse("A{a:u8,b:u64,c:str,d:dict,f:u8,e:u8}");
    assert_eq!(
        stored.mismatch(&asked).to_string(),
        "schema \"A\" differs: b: u32 in the segment, b: u64 here; \
         c: str (read-only) in the segment, c: str here; \
         \"e\" is field 4 in the segment, field 6 here; d: dict only here"
    );
}

#[test]
fn corrupt_text_is_an_error() {
    let deep = format!("A{{x:{}u8}}", "?".repeat(100_000));
    let wide = format!("A{{x:{}u8{}}}", "[".repeat(20), ";9999999]".repeat(20));
    for text in [
        "",
        "A",
        "A{",
        "A{}}",
        "A{x}",
        "A{x:}",
        "A{x:u7}",
        "A{x:u8,}",
        "A{x:u8,x:u8}",
        "A{:u8}",
        "{}",
        ".{}",
        "A{x:[u8;]}",
        "A{x:[u8;99999999999999999999]}",
        "A{x:u8 }",
        &deep,
        &wide,
    ] {
        assert!(Schema::parse(text).is_err(), "{text:.40}");
    }
}

proptest! {
    #[test]
    fn any_text_can_be_taken_apart(text in "[Aab{}\\[\\];:,.!?u8 32str]{0,60}") {
        if let Ok(schema) = Schema::parse(&text) {
            prop_assert_eq!(schema.text(), text.as_str());
        }
    }
}
