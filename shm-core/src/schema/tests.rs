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
        "A<u8,(B,3)>@2{e:a.E:i8{X=-1,Y=3{_0:str,_1:[[u8]]}},t:([time],duration),m:map(str,f64)}",
        "L{next:?&L,all:[&L<3>],s:set,b:bytearray}",
    ] {
        let schema = parse(text);
        assert_eq!(schema.text(), text);
        assert_eq!(schema.fingerprint(), fingerprint::of_text(text));
    }
}

#[test]
fn a_map_has_what_rust_can_have_in_one() {
    for map in ["map(str,f64)", "map(char,value)", "map(bool,list)", "map(i128,bytearray)"] {
        assert!(Schema::parse(&format!("A{{m:{map}}}")).is_ok(), "{map}");
    }
    for map in [
        "map(f64,str)",
        "map(value,i8)",
        "map(list,i8)",
        "map(str,[f64])",
        "map(str,?str)",
        "map(str,map(str,i8))",
        "map(str,(str))",
        "map(str,W{s:str})",
        "map(str,&W)",
        "map(str,time)",
    ] {
        let error = Schema::parse(&format!("A{{in:?[{map}]}}")).unwrap_err().to_string();
        let expected = format!("{map} in \"in\" of \"A\" has no form in a segment");
        assert!(error.contains(&expected), "{error}");
        assert!(error.contains("the keys of a map are ints, bool, char or str"), "{error}");
    }
}

#[test]
fn constants_and_text_give_one_fingerprint() {
    const fn field(name: &'static str, ty: &'static TypeInfo, readonly: bool) -> FieldInfo {
        FieldInfo::new(name, ty, readonly, "", false)
    }
    const U8: &TypeInfo = &TypeInfo::Scalar(Scalar::U8);
    const PART: StructInfo = StructInfo::new(
        &NameInfo::new("plant.Part", &[], 0),
        &[field("w", &TypeInfo::Scalar(Scalar::F64), true)],
        "",
    );
    const STATE: EnumInfo = EnumInfo::new(
        &NameInfo::new("State", &[], 0),
        Scalar::I16,
        &[VariantInfo::new("A", -7, &[]), VariantInfo::new("B", 12, &[field("_0", U8, false)])],
    );
    const NAME: NameInfo = NameInfo::new(
        "plant.Sensor",
        &[ArgInfo::Type(&TypeInfo::Option(&TypeInfo::Struct(&PART))), ArgInfo::Number(-3)],
        12,
    );
    const INFO: StructInfo = StructInfo::new(
        &NAME,
        &[
            field("id", &TypeInfo::Array(U8, 120), false),
            field("cal", &TypeInfo::Option(&TypeInfo::Struct(&PART)), false),
            field("x", &TypeInfo::Str, false),
            field("s", &TypeInfo::Enum(&STATE), false),
            field("t", &TypeInfo::Tuple(&[U8, &TypeInfo::Vec(U8)]), false),
            field("m", &TypeInfo::Map(&TypeInfo::Str, U8), false),
            field("l", &TypeInfo::Link(&NAME), false),
        ],
        "",
    );
    let schema = INFO.schema();
    assert_eq!(
        schema.text(),
        "plant.Sensor<?plant.Part,-3>@12{id:[u8;120],cal:?plant.Part{w!:f64},x:str,\
         s:State:i16{A=-7,B=12{_0:u8}},t:(u8,[u8]),m:map(str,u8),l:&plant.Sensor<?plant.Part,-3>}"
    );
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
         d: dict only here; \"e\" is field 4 in the segment, field 6 here; \
         declare what the segment has (`shm schema` prints it), or make the structs anew"
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
        "A{x:[u8;4294967297]}",
        "A{x:[[f64;65536];8193]}",
        "A{a:[u8;4294967295],b:u8,c:u8}",
        "A{x:[str;67108865]}",
        "A{x:u8 }",
        "A{x:[(str,str)]}",
        "A{x:[B{}]}",
        "A{x:?[(u8,str)]}",
        "A{x:map(str,[u8;2])}",
        "A<u8{}",
        "A@0{}",
        "A@01{}",
        "A{x:&}",
        "A{x:(u8}",
        "A{x:map(u8)}",
        "A{x:E:f32{A=0}}",
        "A{x:E:u8{}}",
        "A{x:E:u8{A=256}}",
        "A{x:E:u8{A=0,A=1}}",
        "A{x:E:u8{A=0,B=0}}",
        "A{x:E:u8{A=00}}",
        "A{x:E:u8{A}}",
        &deep,
        &wide,
    ] {
        assert!(Schema::parse(text).is_err(), "{text:.40}");
    }
}

proptest! {
    #[test]
    fn any_text_can_be_taken_apart(text in "[Aab{}\\[\\];:,.!?u8 32str<>()&=@-]{0,60}") {
        if let Ok(schema) = Schema::parse(&text) {
            prop_assert_eq!(schema.text(), text.as_str());
        }
    }
}
