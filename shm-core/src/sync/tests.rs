//! What the order of a line's places in memory promises.

use super::line::Line;
use crate::primitive::AtomicU64;

#[test]
fn neighbours_in_a_line_lie_in_cache_lines_of_their_own_and_each_place_has_a_word() {
    for places in [16, 32, 256] {
        let words: Vec<AtomicU64> = (0..places).map(|_| AtomicU64::new(0)).collect();
        let line = Line::new(&words).unwrap();
        let number = |place: u64| {
            let word = line.at(place);
            words.iter().position(|other| std::ptr::eq(other, word)).unwrap()
        };
        for place in 0..places {
            let [own, next] = [number(place), number(place + 1)];
            assert!(own / 8 != next / 8, "places {place} and the next of {places}: {own}, {next}");
            assert_eq!(own, number(place + places));
        }
        let mut all: Vec<usize> = (0..places).map(number).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..places as usize));
    }
}

#[test]
fn the_first_place_of_a_line_is_the_first_word() {
    let words: Vec<AtomicU64> = (0..32).map(|_| AtomicU64::new(0)).collect();
    assert!(std::ptr::eq(Line::new(&words).unwrap().at(0), &raw const words[0]));
}
