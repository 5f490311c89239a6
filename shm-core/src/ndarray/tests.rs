//! Arrays of every type and shape, zeroed where memory was used before; freed, undone, and full of lies.

use super::*;
use crate::cell::Cell;
use crate::scratch::{assert_sound, blocks, heap};
use crate::segment::Segment;
use crate::value::Value;
use crate::{List, SegmentOptions};

fn segment(size: u64) -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(size)).unwrap()
}

#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "what is asked of a handle is handed over")]
fn is_closed<T: fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Closed { .. })), "{result:?}");
}

fn all_bytes(array: &Array) -> Vec<u8> {
    let mut bytes = vec![1; array.nbytes()];
    array.read_bytes(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn elements_of_every_type_come_back_and_neighbours_stay() {
    fn check<T: Element + PartialEq + fmt::Debug>(heap: &Heap, zero: T, values: [T; 3]) {
        let array = Array::zeros(heap, T::DTYPE, &[7]).unwrap();
        assert_eq!((array.nbytes() as u64, array.len()), (7 * T::SIZE, 7));
        assert_eq!(T::DTYPE.size(), T::SIZE);
        for (place, value) in values.into_iter().enumerate() {
            array.set(place * 2 + 1, value).unwrap();
        }
        let [a, b, c] = values;
        assert_eq!(array.to_vec::<T>().unwrap(), [zero, a, zero, b, zero, c, zero]);
        assert_eq!(array.get::<T>(3).unwrap(), b);
        array.write(2, &[c, c, a]).unwrap();
        array.fill(b).unwrap();
        array.write(6, &[a]).unwrap();
        assert_eq!(array.to_vec::<T>().unwrap(), [b, b, b, b, b, b, a]);
        assert!(matches!(array.get::<T>(7), Err(Error::IndexOutOfRange { len: 7, .. })));
        assert!(array.write(5, &[a, b, c]).is_err() && array.read(7, &mut [a]).is_err());
    }
    let heap = heap(4 << 20);
    check(&heap, false, [true, true, true]);
    check(&heap, 0_i8, [-1, i8::MIN, 5]);
    check(&heap, 0_u8, [1, u8::MAX, 5]);
    check(&heap, 0_i16, [-1, i16::MIN, 5]);
    check(&heap, 0_u16, [1, u16::MAX, 5]);
    check(&heap, 0_i32, [-1, i32::MIN, 5]);
    check(&heap, 0_u32, [1, u32::MAX, 5]);
    check(&heap, 0_i64, [-1, i64::MIN, 5]);
    check(&heap, 0_u64, [1, u64::MAX, 5]);
    check(&heap, 0_f32, [-1.5, f32::MAX, 5.0]);
    check(&heap, 0_f64, [-1.5, f64::MAX, 5.0]);
    check(&heap, [0_f32; 2], [[1.0, -2.0], [f32::MAX, 0.5], [3.0, 4.0]]);
    check(&heap, [0_f64; 2], [[1.0, -2.0], [f64::MAX, 0.5], [3.0, 4.0]]);
    assert_sound(&heap);
}

#[test]
fn bytes_are_copied_from_and_to_any_place() {
    let heap = heap(4 << 20);
    let array = Array::zeros(&heap, DType::U8, &[10_000]).unwrap();
    let mut model = vec![0_u8; 10_000];
    for (start, len) in [(0, 9), (3, 2), (5, 3), (7, 1), (13, 700), (64, 4_096), (2_001, 7_999)] {
        let content: Vec<u8> = (0..len).map(|n| (n * 7 + start + 1) as u8).collect();
        array.write_bytes(start, &content).unwrap();
        model[start..start + len].copy_from_slice(&content);
        assert_eq!(all_bytes(&array), model, "{start} {len}");
        let mut part = vec![0; len];
        array.read_bytes(start, &mut part).unwrap();
        assert_eq!(part, content);
    }
    assert!(array.write_bytes(9_999, b"ab").is_err());
    assert!(array.read_bytes(usize::MAX, &mut [0]).is_err());
    array.write_bytes(10_000, b"").unwrap();
    assert_eq!(all_bytes(&array), model);
}

#[test]
fn shapes_of_all_sorts_are_stored() {
    let heap = heap(4 << 20);
    let list = List::new::<Value>(&heap, []).unwrap();
    let deep = vec![1; 64];
    let shapes: [&[u64]; 7] = [&[], &[5], &[2, 3, 4], &[0], &[3, 0, 1 << 40], &deep, &[300, 300]];
    for shape in shapes {
        let array = Array::zeros(&heap, DType::F64, shape).unwrap();
        assert_eq!((array.block + 1) % 8, 1, "blocks are words");
        assert_eq!(array.words.as_ptr().addr() % 64, 0, "{shape:?}");
        list.push(&array).unwrap();
        let Some(Value::Array(again)) = list.get(list.len().unwrap() - 1).unwrap() else {
            panic!("an array is read back as one");
        };
        assert_eq!((again.shape(), again.dtype()), (shape, &DType::F64));
        assert_eq!(again.len(), shape.iter().product::<u64>() as usize);
        assert!(again == array && again.same(&array));
    }
    let array = Array::zeros(&heap, DType::I16, &[2, 3, 4]).unwrap();
    assert_eq!(array.index(&[1, 2, 3]).unwrap(), 23);
    assert!(array.index(&[1, 3, 0]).is_err() && array.index(&[1, 2]).is_err());
    let text = "[('x', '<f8'), ('name', 'S5')]";
    let records = Array::of_bytes(
        &heap,
        DType::described(text, 13).unwrap(),
        &[2],
        b"0123456789abcABCDEFGHIJKLM",
    );
    list.push(records.unwrap()).unwrap();
    let Some(Value::Array(records)) = list.get(list.len().unwrap() - 1).unwrap() else { panic!() };
    assert_eq!((records.dtype().name(), records.dtype().size()), (text, 13));
    assert_eq!(all_bytes(&records), b"0123456789abcABCDEFGHIJKLM");
    assert!(matches!(records.bits(0), Err(Error::WrongType { .. })));
    assert_sound(&heap);
    list.clear().unwrap();
    drop((array, records));
    assert_sound(&heap);
}

#[test]
fn what_no_segment_holds_is_refused() {
    let heap = heap(1 << 20);
    let free = blocks(&heap);
    let too_large = |shape: &[u64]| Array::zeros(&heap, DType::F64, shape).unwrap_err();
    assert!(matches!(too_large(&[1 << 45]), Error::InvalidArgument { .. }));
    assert!(matches!(too_large(&[1 << 40, 1 << 40, 1 << 40]), Error::InvalidArgument { .. }));
    assert!(matches!(too_large(&[0, 1 << 40, 1 << 40]), Error::InvalidArgument { .. }));
    assert!(matches!(too_large(&vec![1; 65]), Error::InvalidArgument { .. }));
    assert!(matches!(too_large(&[1 << 30]), Error::SegmentFull { .. }));
    assert!(matches!(too_large(&[140_000]), Error::SegmentFull { .. }));
    assert!(DType::described("x", 0).is_err() && DType::described("x".repeat(20_000), 1).is_err());
    assert!(Array::of_bytes(&heap, DType::F64, &[2], &[0; 15]).is_err());
    assert_eq!(blocks(&heap), free);
}

#[test]
fn memory_that_was_used_is_zeroed_and_fresh_pages_are_left_alone() {
    let heap = heap(16 << 20);
    let memory = &heap.0.memory;
    for bytes in [10_u64, 500, 20_000, 100_000, 3_000_000] {
        let shape = [bytes];
        let first = Array::zeros(&heap, DType::U8, &shape).unwrap();
        assert!(all_bytes(&first).iter().all(|byte| *byte == 0), "{bytes} fresh ones");
        first.fill(0xAA_u8).unwrap();
        let place = first.block;
        drop(first);
        let second = Array::zeros(&heap, DType::U8, &shape).unwrap();
        assert_eq!(second.block, place, "the block is used again");
        assert!(all_bytes(&second).iter().all(|byte| *byte == 0), "{bytes} used ones");
    }
    // Part of it is behind all that was ever used.
    let untouched = memory.meta(header::UNTOUCHED).unwrap().load(Ordering::Relaxed);
    let page = |page| memory.geometry.page_at(page);
    assert_eq!(written_bytes(memory, untouched, page(untouched), 70_000), 0);
    assert_eq!(written_bytes(memory, untouched, page(untouched - 1) + 64, 70_000), 65_536 - 64);
    assert_eq!(written_bytes(memory, untouched, page(0) + 64, 70_000), 70_000);
    assert_eq!(written_bytes(memory, u64::MAX, page(0) + 64, 70_000), 70_000);
}

#[test]
fn a_freed_array_is_closed_and_its_memory_stays_while_others_hold_it() {
    let seg = segment(8 << 20);
    let array = seg.array::<f64>(&[1000]).unwrap();
    seg.root().insert("array", &array).unwrap();
    let before = blocks(seg.heap());
    let other = Segment::attach(seg.name(), SegmentOptions::new()).unwrap();
    let Some(Value::Array(theirs)) = other.root().get("array").unwrap() else { panic!() };
    theirs.address().unwrap();
    let held = blocks(seg.heap());
    seg.free(&Value::from(&array)).unwrap();
    for array in [&array, &theirs] {
        is_closed(array.get::<f64>(0));
        is_closed(array.set(0, 1.0));
        is_closed(array.to_vec::<f64>());
        is_closed(array.fill(1.0));
        is_closed(array.address());
        is_closed(array.notify());
        is_closed(array.lock());
    }
    is_closed(seg.root().insert("again", &array));
    is_closed(seg.free(&Value::from(&array)));
    let Some(Value::Array(gone)) = seg.root().get("array").unwrap() else { panic!() };
    is_closed(gone.check());
    drop(gone);
    assert_sound(seg.heap());
    assert_eq!(blocks(seg.heap()), held, "the block stays while another attachment looks");
    assert!(!array.give_back(9).unwrap());
    drop(theirs);
    assert_eq!(blocks(seg.heap()), held, "and while this one has a handle");
    drop(array);
    other.close().unwrap();
    assert_eq!(blocks(seg.heap()), before - 1, "the header stays for the cell that refers to it");
    seg.root().remove("array").unwrap();
    assert_sound(seg.heap());
}

#[test]
fn the_only_handle_frees_at_once() {
    let seg = segment(8 << 20);
    let array = seg.array::<u8>(&[1 << 20]).unwrap();
    seg.root().insert("array", &array).unwrap();
    let before = blocks(seg.heap());
    let array = Value::from(array);
    seg.free(&array).unwrap();
    assert_eq!(blocks(seg.heap()), before - 1);
    drop(array);
    assert_sound(seg.heap());
    seg.root().remove("array").unwrap();
    assert_sound(seg.heap());
}

#[test]
fn a_transaction_undoes_stores_and_arrays() {
    let seg = segment(8 << 20);
    let array = seg.array::<i32>(&[1000]).unwrap();
    array.fill(7).unwrap();
    let undo = || Err::<(), _>(Error::InvalidArgument { what: "undo".into() });
    let mut made = None;
    let undone = seg.transaction(|_| {
        array.set(1, 8)?;
        array.write(100, &[9; 500])?;
        assert_eq!((array.get::<i32>(1)?, array.get::<i32>(599)?), (8, 9));
        array.address()?;
        let fresh = seg.array::<i32>(&[10])?;
        fresh.write(0, &[5; 10])?;
        fresh.set(3, 6)?;
        assert_eq!(fresh.to_vec::<i32>()?, [5, 5, 5, 6, 5, 5, 5, 5, 5, 5]);
        assert!(matches!(fresh.address(), Err(Error::InvalidArgument { .. })));
        seg.root().insert("fresh", &fresh)?;
        made = Some(fresh);
        undo()
    });
    assert!(undone.is_err());
    assert_eq!(array.to_vec::<i32>().unwrap(), [7; 1000]);
    let made = made.unwrap();
    is_closed(made.get::<i32>(0));
    is_closed(made.set(0, 1));
    is_closed(made.address());
    is_closed(seg.root().insert("fresh", &made));
    assert_sound(seg.heap());
    drop(made);
    let mut made = None;
    seg.transaction(|_| {
        let fresh = seg.array::<i32>(&[10])?;
        fresh.fill(5)?;
        array.set(1, 8)?;
        seg.root().insert("fresh", &fresh)?;
        made = Some(fresh);
        Ok(())
    })
    .unwrap();
    let made = made.unwrap();
    made.address().unwrap();
    made.set(0, 6).unwrap();
    assert_eq!((made.get::<i32>(0).unwrap(), array.get::<i32>(1).unwrap()), (6, 8));
    assert_eq!(seg.root().get("fresh").unwrap(), Some(Value::from(&made)));
    assert_sound(seg.heap());
}

#[test]
fn freeing_can_be_undone() {
    let seg = segment(8 << 20);
    let array = seg.array::<i32>(&[1000]).unwrap();
    seg.root().insert("array", &array).unwrap();
    let undone: Result<()> = seg.transaction(|_| {
        seg.free(&Value::from(&array))?;
        is_closed(array.get::<i32>(0));
        Err(Error::InvalidArgument { what: "undo".into() })
    });
    assert!(undone.is_err());
    array.set(0, 5).unwrap();
    assert_sound(seg.heap());
    seg.transaction(|_| seg.free(&Value::from(&array))).unwrap();
    is_closed(array.get::<i32>(0));
    assert!(array.give_back(1).unwrap());
    drop(array);
    assert_sound(seg.heap());
}

#[test]
fn a_reader_reads_and_cannot_store() {
    let seg = segment(4 << 20);
    let array = seg.array::<u16>(&[3]).unwrap();
    seg.root().insert("array", &array).unwrap();
    let other = Segment::attach(seg.name(), SegmentOptions::new().readonly(true)).unwrap();
    let Some(Value::Array(theirs)) = other.root().get("array").unwrap() else { panic!() };
    array.write(0, &[1_u16, 2, 3]).unwrap();
    assert_eq!(theirs.to_vec::<u16>().unwrap(), [1, 2, 3]);
    assert!(matches!(theirs.set(0, 1_u16), Err(Error::ReadOnly { .. })));
    assert!(matches!(theirs.write(0, &[1_u16]), Err(Error::ReadOnly { .. })));
    other.close().unwrap();
    is_closed(theirs.get::<u16>(0));
    seg.close().unwrap();
    is_closed(array.set(0, 1_u16));
    assert_eq!(format!("{array:?}"), "Array(closed)");
}

#[test]
fn neighbours_stored_by_threads_are_not_lost() {
    let heap = heap(4 << 20);
    let array = Array::zeros(&heap, DType::U8, &[8]).unwrap();
    std::thread::scope(|scope| {
        for place in 0..8 {
            let array = array.clone();
            scope.spawn(move || {
                for value in 0..=250_u8 {
                    array.set(place, value).unwrap();
                    assert_eq!(array.get::<u8>(place).unwrap(), value);
                }
            });
        }
    });
    assert_eq!(array.to_vec::<u8>().unwrap(), [250; 8]);
}

#[test]
fn a_header_that_lies_is_an_error_and_a_finding() {
    let seg = segment(4 << 20);
    let array = seg.array_of(DType::described("[('x', '<f8')]", 8).unwrap(), &[4, 5]).unwrap();
    seg.root().insert("array", &array).unwrap();
    let (at, block) = (array.object.at(), array.block);
    let heap = seg.heap().clone();
    let lies = [
        (at + object::W0, 0x123),
        (at + object::W0, block + 16),
        (at + object::W0, u64::MAX - 15),
        (at + object::W1, u64::MAX),
        (at + object::W1, heap.load(at + object::W1).unwrap() + 1),
        (at + object::W1, heap.load(at + object::W1).unwrap() + (100 << 8)),
        (at + object::W1, heap.load(at + object::W1).unwrap() + (512 << 16)),
        (at + object::W1, heap.load(at + object::W1).unwrap() + (3 << 16)),
        (at + object::W1, heap.load(at + object::W1).unwrap() & 0xFFFF_FFFF),
        (at + object::W2, 161),
        (at + object::W2, u64::MAX),
        (block, 5),
        (block, u64::MAX),
        (block + 8, 0),
        (block + 16, u64::MAX),
        (block + 16, 1 << 13),
        (block + 24, u64::MAX),
    ];
    for (place, lie) in lies {
        let word = heap.word(place).unwrap();
        let old = word.swap(lie, Ordering::Relaxed);
        let found = seg.root().get("array");
        let report = seg.check().unwrap();
        word.store(old, Ordering::Relaxed);
        let freed = place == at + object::W0 && lie & FREED != 0;
        assert!(freed || matches!(found, Err(Error::SegmentCorrupt { .. })), "{lie:#x}: {found:?}");
        assert!(!report.is_sound(), "{lie:#x} at {place:#x} is found");
    }
    assert_eq!(Cell(array.cell().0).as_ref().map(|found| found.kind), Some(Kind::Array));
    assert_sound(&heap);
}

#[test]
fn an_array_is_filled_in_parts_and_an_error_leaves_nothing() {
    let heap = heap(4 << 20);
    // The table of pins is there from the first handle on.
    drop(List::new::<Value>(&heap, []).unwrap());
    let before = blocks(&heap);
    let fill = |start: usize, bytes: &mut [u8]| {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = ((start + index) % 251) as u8;
        }
        Ok::<(), Error>(())
    };
    let array = Array::filled(&heap, DType::U8, &[150_001], fill).unwrap();
    let content = array.to_vec::<u8>().unwrap();
    assert!(content.iter().enumerate().all(|(index, byte)| usize::from(*byte) == index % 251));
    drop(array);
    let stop = |start: usize, _: &mut [u8]| match start {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument { what: "enough".into() }),
    };
    assert!(Array::filled(&heap, DType::U8, &[150_001], stop).is_err());
    assert_eq!(blocks(&heap), before);
    assert_sound(&heap);
}
