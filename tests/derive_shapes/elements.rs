//! Vectors and arrays that are fields: changed element by element.

use shm::{ArrayRef, Error, Record, Shared, Value};

use crate::{Fields, Level, Plain, State, fields, segment};

#[test]
fn vectors_are_changed_in_place() {
    let segment = segment();
    let handle = segment.alloc(fields(&segment)).unwrap();
    let (samples, mut model) = (handle.samples(), vec![1.0, 2.0, 3.0]);
    for number in 0..2000 {
        samples.push(f64::from(number)).unwrap();
        model.push(f64::from(number));
    }
    samples.extend(&[0.25; 7]).unwrap();
    model.extend([0.25; 7]);
    samples.set(5, -5.0).unwrap();
    model[5] = -5.0;
    assert_eq!(samples.pop().unwrap(), model.pop());
    samples.truncate(1500).unwrap();
    model.truncate(1500);
    let read: Vec<f64> = samples.iter().map(Result::unwrap).collect();
    assert_eq!(read, model);
    assert_eq!(handle.load().unwrap().samples, model);
    assert_eq!(samples.get(1500).unwrap(), None);
    assert!(matches!(samples.set(1500, 0.0), Err(Error::IndexOutOfRange { len: 1500, .. })));
    samples.replace(&[1.0]).unwrap();
    assert_eq!(format!("{samples:?}"), "[1.0]");

    let names = handle.names();
    names.push("third".into()).unwrap();
    names.set(0, "first".into()).unwrap();
    assert_eq!(names.pop().unwrap().unwrap(), "third");
    names.extend(&["x".into(), "y".into()]).unwrap();
    names.truncate(3).unwrap();
    assert_eq!(handle.load().unwrap().names, ["first", "a name that needs a block", "x"]);

    let levels = handle.levels();
    let level = Level { price: 1.0, size: 1, side: Plain::High };
    levels.set(1, level).unwrap();
    levels.push(level).unwrap();
    assert_eq!(levels.len().unwrap(), 4);
    assert_eq!(levels.get(1).unwrap(), levels.pop().unwrap());
    assert!(segment.check().unwrap().is_sound());
}

#[test]
fn nothing_is_done_to_an_empty_vector_when_there_is_nothing_to_do() {
    let segment = segment();
    let handle = segment.alloc(Fields { samples: Vec::new(), ..fields(&segment) }).unwrap();
    let samples = handle.samples();
    samples.clear().unwrap();
    samples.truncate(3).unwrap();
    samples.extend(&[]).unwrap();
    samples.replace(&[]).unwrap();
    let record = Record::from(&handle);
    let index = record.schema().index_of("samples").unwrap();
    record.vector_at(index).unwrap().unwrap().splice(5, 9, &[]).unwrap();
    assert_eq!(samples.to_vec().unwrap(), Vec::<f64>::new());
    samples.extend(&[1.0]).unwrap();
    assert_eq!(samples.to_vec().unwrap(), [1.0]);
    let empty = segment.bytearray(b"").unwrap();
    empty.extend(b"").unwrap();
    assert_eq!(empty.to_vec().unwrap(), b"");
}

#[test]
fn pushes_of_many_threads_are_not_lost_by_updates() {
    let segment = segment();
    let handle = segment.alloc(fields(&segment)).unwrap();
    handle.samples().clear().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..300).for_each(|_| handle.samples().push(1.0).unwrap()));
            scope.spawn(|| {
                for _ in 0..100 {
                    handle.update(|fields| fields.samples.push(2.0)).unwrap();
                }
            });
        }
    });
    assert_eq!(handle.samples().len().unwrap(), 800);
    assert!(segment.check().unwrap().is_sound());
}

#[derive(Shared, Debug, Clone, PartialEq)]
struct Arrays<const N: usize> {
    flags: [bool; 3],
    numbers: [i16; N],
    grid: [[u32; 2]; 3],
    levels: [Level; 2],
    names: [String; N],
    states: [Option<State>; 2],
    #[shared(readonly)]
    fixed: [u8; 4],
}

fn arrays() -> Arrays<2> {
    let level = Level { price: 1.5, size: 2, side: Plain::Next };
    Arrays {
        flags: [false, true, false],
        numbers: [-1, 2],
        grid: [[1, 2], [3, 4], [5, 6]],
        levels: [level, Level { size: 3, ..level }],
        names: ["short".into(), "a name that needs a block".into()],
        states: [None, Some(State::Idle)],
        fixed: [1, 2, 3, 4],
    }
}

#[test]
fn elements_of_arrays_are_changed_one_by_one() {
    let segment = segment();
    let handle = segment.alloc(arrays()).unwrap();
    let mut model = arrays();
    handle.items_flags().set(0, true).unwrap();
    model.flags[0] = true;
    let numbers: ArrayRef<i16, 2> = handle.items_numbers();
    assert_eq!((numbers.len(), numbers.is_empty(), numbers.at(1).unwrap()), (2, false, 2));
    assert_eq!(numbers.fetch_add(1, i16::MAX).unwrap(), 2);
    assert_eq!(numbers.swap(0, 7).unwrap(), -1);
    assert!(numbers.compare_exchange(0, 7, 8).unwrap());
    assert!(!numbers.compare_exchange(0, 7, 9).unwrap());
    model.numbers = [8, i16::MIN + 1];
    handle.items_grid().set(0, [10, 20]).unwrap();
    handle.items_grid().items(2).unwrap().set(1, 60).unwrap();
    model.grid = [[10, 20], [3, 4], [5, 60]];
    handle.items_levels().at(1).unwrap().set_price(-0.5).unwrap();
    handle.items_levels().set(0, model.levels[1]).unwrap();
    model.levels[0] = model.levels[1];
    model.levels[1].price = -0.5;
    handle.items_names().set(1, "another name that needs a block".into()).unwrap();
    model.names[1] = "another name that needs a block".into();
    let failed = State::Failed("because of something long".into(), vec![1]);
    handle.items_states().set(0, Some(failed.clone())).unwrap();
    model.states[0] = Some(failed.clone());
    assert_eq!(handle.load().unwrap(), model);
    assert_eq!(handle.items_states().get(0).unwrap(), Some(failed));
    assert_eq!(handle.items_levels().load().unwrap(), model.levels);
    assert_eq!(format!("{:?}", handle.items_grid()), "[[10, 20], [3, 4], [5, 60]]");
    handle.items_grid().clone().store(&[[0; 2]; 3]).unwrap();
    assert_eq!(handle.load().unwrap(), Arrays { grid: [[0; 2]; 3], ..model });
    let errors = [
        handle.items_grid().get(3).map(drop),
        handle.items_grid().set(usize::MAX, [0, 0]),
        handle.items_levels().at(2).map(drop),
        handle.items_numbers().fetch_add(2, 1).map(drop),
        handle.items_grid().items(3).map(drop),
    ];
    for error in errors {
        assert!(matches!(error.unwrap_err(), Error::IndexOutOfRange { what: "array", .. }));
    }
    assert!(segment.check().unwrap().is_sound());
}

#[derive(Shared, Clone, Debug, PartialEq)]
struct Corner {
    sharp: bool,
}

#[derive(Shared, Clone, Debug, PartialEq)]
enum Shape {
    Round,
    Cornered(Corner, u16),
}

#[derive(Shared, Clone, Debug, PartialEq)]
struct Drawing {
    shapes: Vec<Shape>,
    pairs: Vec<(u8, Corner)>,
    either: Vec<Option<Corner>>,
    rows: Vec<[Corner; 2]>,
}

#[test]
fn structs_inside_of_the_elements_of_vectors_are_those_of_the_elements() {
    let segment = segment();
    let [blunt, sharp] = [false, true].map(|sharp| Corner { sharp });
    let drawing = Drawing {
        shapes: vec![Shape::Round, Shape::Cornered(sharp.clone(), 7)],
        pairs: vec![(1, blunt.clone()), (2, sharp.clone())],
        either: vec![None, Some(sharp.clone())],
        rows: vec![[blunt, sharp]],
    };
    let handle = segment.alloc(drawing.clone()).unwrap();
    assert_eq!(handle.load().unwrap(), drawing);
    // Without the types, as Python reads them: a struct in a vector is a tuple of its fields.
    let corner = |sharp: bool| Value::Tuple(vec![sharp.into()]);
    let values = Record::from(&handle).values().unwrap();
    let tuple = |items: &[Value]| Value::Tuple(items.to_vec());
    assert_eq!(
        values,
        [
            tuple(&["Round".into(), tuple(&["Cornered".into(), corner(true), 7.into()])]),
            tuple(&[tuple(&[1.into(), corner(false)]), tuple(&[2.into(), corner(true)])]),
            tuple(&[Value::None, corner(true)]),
            tuple(&[tuple(&[corner(false), corner(true)])]),
        ]
    );
    // And they can be stored as they were read.
    let record = Record::from(&handle);
    record.replace(&values).unwrap();
    assert_eq!(handle.load().unwrap(), drawing);
}
