//! Structs of random schemas, seen as values: what is set is what is read, in every field, and
//! nothing else changes; the stored schema is the one that was given.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use proptest::prelude::*;
use shm::{FieldType, Record, Scalar, Schema, Segment, SegmentOptions, Value, Variants};

/// A type, and how to make values of it from random numbers.
fn types() -> impl Strategy<Value = FieldType> {
    let leaf = prop_oneof![
        Just(FieldType::Bool),
        Just(FieldType::Char),
        Just(FieldType::I8),
        Just(FieldType::I16),
        Just(FieldType::I32),
        Just(FieldType::I64),
        Just(FieldType::I128),
        Just(FieldType::U8),
        Just(FieldType::U16),
        Just(FieldType::U32),
        Just(FieldType::U64),
        Just(FieldType::U128),
        Just(FieldType::F32),
        Just(FieldType::F64),
        Just(FieldType::Str),
        Just(FieldType::Value),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0_u64..4).prop_map(|(ty, len)| FieldType::Array(Box::new(ty), len)),
            inner.clone().prop_map(|ty| FieldType::Option(Box::new(ty))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(FieldType::Tuple),
            inner.clone().prop_map(|ty| FieldType::Vec(Box::new(element(ty)))),
            prop::collection::vec(inner.clone(), 0..4).prop_map(variants),
            prop::collection::vec(inner, 0..4).prop_map(|types| {
                FieldType::Struct(Schema::new("Part", numbered(types)).unwrap())
            }),
        ]
    })
}

/// The type, or one that can be in a vector.
fn element(ty: FieldType) -> FieldType {
    // By the schema alone, what lies in the cells of a vector is seen as it is stored.
    let room = Schema::parse(&format!("A{{x:{ty}}}")).unwrap().layout();
    if room.cells == 0 && room.size > 0 { ty } else { FieldType::Str }
}

/// An enum with a variant without fields, and one with a field of each type.
fn variants(types: Vec<FieldType>) -> FieldType {
    let mut all = vec![("Empty".to_owned(), -1, Vec::new())];
    for (at, ty) in types.into_iter().enumerate() {
        let fields = vec![("_0".to_owned(), ty, false), ("n".to_owned(), FieldType::U16, false)];
        all.push((format!("V{at}"), at as i128 * 50, fields));
    }
    FieldType::Enum(Variants::new("Kinds", Scalar::I16, all).unwrap())
}

fn numbered(types: Vec<FieldType>) -> Vec<(String, FieldType, bool)> {
    types.into_iter().enumerate().map(|(at, ty)| (format!("f{at}"), ty, false)).collect()
}

/// A value of a type, from a few numbers.
fn value(ty: &FieldType, seed: &mut u64) -> Value {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let n = *seed >> 16;
    match ty {
        FieldType::Bool => Value::from(n.is_multiple_of(2)),
        FieldType::Char => Value::from(char::from_u32(n as u32 % 0x800).unwrap()),
        FieldType::I8 => Value::from(n as i8),
        FieldType::I16 => Value::from(n as i16),
        FieldType::I32 => Value::from(n as i32),
        FieldType::I64 => Value::from(*seed as i64),
        FieldType::I128 => Value::from((i128::from(*seed) << 60) - i128::from(n)),
        FieldType::U8 => Value::from(n as u8),
        FieldType::U16 => Value::from(n as u16),
        FieldType::U32 => Value::from(n as u32),
        FieldType::U64 => Value::from(*seed),
        FieldType::U128 => Value::from(u128::from(*seed) << (n % 64)),
        FieldType::F32 => Value::from(f32::from(n as i16) / 8.0),
        FieldType::F64 => Value::from(f64::from(n as i32) * 1e100),
        FieldType::Str => Value::from("text ".repeat(n as usize % 8)),
        FieldType::Value => match n % 4 {
            0 => Value::None,
            1 => Value::from(n),
            2 => Value::from("any text ".repeat(n as usize % 8)),
            _ => Value::from((n, "a tuple with some text")),
        },
        FieldType::Array(element, len) => {
            Value::Tuple((0..*len).map(|_| value(element, seed)).collect())
        }
        // Of an absent option in an absent option the outer one is told by the value.
        FieldType::Option(_) if n.is_multiple_of(3) => Value::None,
        FieldType::Option(inner) => value(inner, seed),
        FieldType::Struct(schema) => {
            Value::Tuple(schema.fields().iter().map(|field| value(field.ty(), seed)).collect())
        }
        FieldType::Tuple(parts) => {
            Value::Tuple(parts.iter().map(|part| value(part, seed)).collect())
        }
        FieldType::Vec(element) => Value::Tuple((0..n % 6).map(|_| value(element, seed)).collect()),
        FieldType::Enum(variants) => {
            let all = variants.variants();
            let variant = &all[n as usize % all.len()];
            let name = Value::from(variant.name());
            if variant.fields().is_empty() {
                return name;
            }
            let fields = variant.fields().iter().map(|field| value(field.ty(), seed));
            Value::Tuple(std::iter::once(name).chain(fields).collect())
        }
        other => panic!("no values of {other}"),
    }
}

/// With structs as tuples, as they are given.
fn plain(value: Value) -> Value {
    match value {
        Value::Record(record) => {
            Value::Tuple(record.values().unwrap().into_iter().map(plain).collect())
        }
        Value::Tuple(items) => Value::Tuple(items.into_iter().map(plain).collect()),
        // A vector of what is not plain.
        Value::List(list) => Value::Tuple(list.to_vec().unwrap().into_iter().map(plain).collect()),
        other => other,
    }
}

fn plain_values(record: &Record) -> Vec<Value> {
    record.values().unwrap().into_iter().map(plain).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 3 / 4, ..ProptestConfig::default() })]

    #[test]
    fn fields_of_any_schema_hold_what_is_set(
        types in prop::collection::vec(types(), 1..10),
        mut seed in any::<u64>(),
        steps in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let segment = Segment::create_anonymous(SegmentOptions::new().size(4 << 20)).unwrap();
        let schema = Schema::new("test.Random", numbered(types)).unwrap();
        prop_assert_eq!(&Schema::parse(schema.text()).unwrap(), &schema);
        let mut model: Vec<Value> =
            schema.fields().iter().map(|field| value(field.ty(), &mut seed)).collect();
        let record = Record::create(segment.heap(), &schema, &model).unwrap();
        segment.root().insert("record", &record).unwrap();
        prop_assert_eq!(plain_values(&record), model.clone());
        for step in steps {
            let at = step.index(model.len());
            let new = value(schema.fields()[at].ty(), &mut seed);
            record.set_at(at, new.clone()).unwrap();
            model[at] = new;
            prop_assert_eq!(plain(record.get_at(at).unwrap()), model[at].clone());
            prop_assert_eq!(plain_values(&record), model.clone());
        }
        for (field, new) in schema.fields().iter().zip(&mut model) {
            *new = value(field.ty(), &mut seed);
        }
        record.replace(&model).unwrap();
        prop_assert_eq!(plain_values(&record), model.clone());
        let stored = Schema::stored(segment.heap(), "test.Random").unwrap().unwrap();
        prop_assert_eq!(stored.fingerprint(), schema.fingerprint());
        let report = segment.check().unwrap();
        prop_assert!(report.is_sound(), "{:?}", report);
    }
}
