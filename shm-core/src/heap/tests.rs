//! Operations that are run a second time, or have done what they do before they know whether they may.

use std::time::{Duration, Instant};

use crate::bytearray::ByteArray;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::primitive::Ordering;
use crate::record::Record;
use crate::schema::Schema;
use crate::scratch;
use crate::value::Value;

#[test]
fn an_operation_of_one_store_is_done_once_whoever_waits_for_room_for_pins() {
    let heap = scratch::heap(1 << 20);
    let bytes = ByteArray::new(&heap, b"").unwrap();
    let list = List::new(&heap, [1, 2, 3]).unwrap();
    bytes.push(0).unwrap();
    for number in 1..20 {
        // What another thread of the process says that took a pin just now.
        heap.0.pins_wait.store(true, Ordering::Relaxed);
        bytes.push(number).unwrap();
        heap.0.pins_wait.store(true, Ordering::Relaxed);
        list.rotate(1).unwrap();
    }
    assert_eq!(bytes.to_vec().unwrap(), (0..20).collect::<Vec<u8>>());
    let numbers: Vec<_> = (0..3).map(|index| list.get_int(index).unwrap()).collect();
    assert_eq!(numbers, [Some(3), Some(1), Some(2)]);
    scratch::assert_sound(&heap);
}

/// Leaves an object as a writer does that was killed or is stopped in the middle.
fn half_change(heap: &Heap, at: u64, by: u64) {
    let sequence = heap.word(at + object::SEQ).unwrap();
    sequence.store(sequence.load(Ordering::Relaxed).wrapping_add(by), Ordering::Release);
}

/// Compares what `list` holds first with an equal one while that is half-changed: it is the same under the
/// whole lock, to which the comparison goes over.
fn exchange_half_changed(list: &List, inner: u64, equal: &Value) {
    let started = Instant::now();
    half_change(list.heap(), inner, 1);
    assert!(list.compare_exchange(0, equal, 7).unwrap(), "it was equal");
    half_change(list.heap(), inner, 1);
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for itself");
    assert_eq!(list.get_int(0).unwrap(), Some(7));
}

#[test]
fn what_an_operation_on_one_object_cannot_read_is_read_under_the_whole_lock() {
    let heap = scratch::heap(1 << 20);
    let schema = Schema::parse("heap.S{number:i64,inner:list}").unwrap();
    // Some of these share a stripe with what they hold, most do not.
    for _ in 0..8 {
        let [inner, equal] = [(); 2].map(|()| List::new(&heap, [1, 2]).unwrap());
        let list = List::new(&heap, [&inner]).unwrap();
        exchange_half_changed(&list, inner.object().at(), &Value::from(&equal));
        let [one, other] = [&inner, &equal]
            .map(|list| Record::create(&heap, &schema, &[1.into(), list.into()]).unwrap());
        let list = List::new(&heap, [&one]).unwrap();
        let field = one.get("inner").unwrap();
        let Value::List(field) = field else { panic!("{field:?}") };
        exchange_half_changed(&list, field.object().at(), &Value::from(&other));
    }
    scratch::assert_sound(&heap);
}
