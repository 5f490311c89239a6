//! The vectors and maps of a schema, numbered in the order in which its text has them.
//!
//! The object that such a field refers to says in its header which of them it is (`flavour/typed`), so
//! that whoever has a handle of it knows what it takes. A vector inside of a vector has the next
//! number; what a map holds has none. Of an enum all variants count, and which of them a cell belongs to
//! is told by the variant's number. Numbers are a matter of the text alone, so all processes agree.

use std::ops::Range;

use super::{Field, FieldType, Layout, Place, Schema, Variants};

/// A vector or map of a schema.
#[derive(Clone, Copy)]
pub(crate) struct Container<'s> {
    /// The struct that has the field.
    pub(crate) schema: &'s Schema,
    /// The field that it is, or is a part of.
    pub(crate) field: &'s Field,
    pub(crate) ty: &'s FieldType,
}

impl Schema {
    /// The container of a number.
    pub(crate) fn container(&self, number: usize) -> Option<Container<'_>> {
        self.nth(&mut { number })
    }

    fn nth(&self, left: &mut usize) -> Option<Container<'_>> {
        self.fields.iter().find_map(|field| nth(self, field, &field.ty, left))
    }

    /// Tells which cells of a payload refer to containers, of those in a range, and their numbers. The struct
    /// starts at a place of the payload; `tag` gives the bits of an enum's number at an offset.
    pub(crate) fn containers_in(
        &self,
        at: Place,
        cells: Range<usize>,
        tag: &dyn Fn(usize, usize) -> u128,
        visit: &mut dyn FnMut(usize, usize),
    ) {
        Search { cells, tag, visit, number: 0 }.fields(&self.fields, at);
    }
}

/// The container that is so many behind the first one of a type; `left` counts down.
fn nth<'s>(
    schema: &'s Schema,
    field: &'s Field,
    ty: &'s FieldType,
    left: &mut usize,
) -> Option<Container<'s>> {
    match ty {
        FieldType::Vec(_) | FieldType::Map(..) => {
            if *left == 0 {
                return Some(Container { schema, field, ty });
            }
            *left -= 1;
            let FieldType::Vec(element) = ty else { return None };
            nth(schema, field, element, left)
        }
        FieldType::Option(inner) | FieldType::Array(inner, _) => nth(schema, field, inner, left),
        FieldType::Tuple(parts) => parts.iter().find_map(|part| nth(schema, field, part, left)),
        FieldType::Struct(inner) => inner.nth(left),
        FieldType::Enum(variants) => {
            let mut fields = variants.variants().iter().flat_map(|variant| &variant.fields);
            fields.find_map(|inner| nth(schema, field, &inner.ty, left))
        }
        _ => None,
    }
}

/// How many containers are in a type.
fn count(ty: &FieldType) -> usize {
    match ty {
        FieldType::Vec(element) => 1 + count(element),
        FieldType::Map(..) => 1,
        FieldType::Option(inner) | FieldType::Array(inner, _) => count(inner),
        FieldType::Tuple(parts) => parts.iter().map(count).sum(),
        FieldType::Struct(inner) => inner.fields.iter().map(|field| count(&field.ty)).sum(),
        FieldType::Enum(variants) => {
            let fields = variants.variants().iter().flat_map(|variant| &variant.fields);
            fields.map(|field| count(&field.ty)).sum()
        }
        _ => 0,
    }
}

struct Search<'f> {
    cells: Range<usize>,
    tag: &'f dyn Fn(usize, usize) -> u128,
    visit: &'f mut dyn FnMut(usize, usize),
    /// Of the next container.
    number: usize,
}

impl Search<'_> {
    fn fields(&mut self, fields: &[Field], at: Place) {
        for field in fields {
            self.part(&field.ty, field.layout, at.part(field.place));
        }
    }

    fn part(&mut self, ty: &FieldType, layout: Layout, at: Place) {
        // What has no cell of the range is only counted.
        if at.cells >= self.cells.end || at.cells + layout.cells <= self.cells.start {
            self.number += count(ty);
            return;
        }
        match ty {
            FieldType::Vec(_) | FieldType::Map(..) => {
                (self.visit)(at.cells, self.number);
                self.number += count(ty);
            }
            FieldType::Option(inner) => {
                let Some(room) = inner.layout() else { return };
                self.part(inner, room, at.part(room.option_value(inner.has_niche())));
            }
            FieldType::Array(element, len) => {
                let Some(room) = element.layout().filter(|room| room.cells > 0) else { return };
                let first = self.cells.start.saturating_sub(at.cells) / room.cells;
                let end = (self.cells.end - at.cells).div_ceil(room.cells).min(*len as usize);
                let number = self.number;
                for index in first..end {
                    self.number = number;
                    self.part(element, room, at.element(room, index));
                }
            }
            FieldType::Tuple(parts) => {
                let mut layout = Layout::EMPTY;
                for part in parts {
                    let Some(room) = part.layout() else { return };
                    let Some((place, whole)) = layout.checked_then(room) else { return };
                    layout = whole;
                    self.part(part, room, at.part(place));
                }
            }
            FieldType::Struct(schema) => self.fields(&schema.fields, at),
            FieldType::Enum(variants) => self.variants(variants, at),
            _ => {}
        }
    }

    fn variants(&mut self, variants: &Variants, at: Place) {
        let bits = (self.tag)(at.plain, variants.tag().size());
        let present = variants.of_bits(bits).map(|variant| variant.value);
        for variant in variants.variants() {
            if Some(variant.value) == present {
                self.fields(&variant.fields, at);
            } else {
                self.number += variant.fields.iter().map(|field| count(&field.ty)).sum::<usize>();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a.S{names:[str],pair:([i32],?map(str,u8)),state:E:u8{A=0{_0:[?str]},B=1,C=2{_0:[[str]]}},rows:[[f64];2],in:I{last:[[[str]]]}}";

    #[test]
    fn each_container_has_a_number() {
        let schema = Schema::parse(TEXT).unwrap();
        let all = (0..).map_while(|number| schema.container(number));
        let all: Vec<String> = all
            .map(|one| format!("{}.{} {}", one.schema.name(), one.field.name(), one.ty))
            .collect();
        let expected = [
            "a.S.names [str]",
            "a.S.pair [i32]",
            "a.S.pair map(str,u8)",
            "a.S.state [?str]",
            "a.S.state [[str]]",
            "a.S.state [str]",
            "a.S.rows [f64]",
            "I.last [[[str]]]",
            "I.last [[str]]",
            "I.last [str]",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn cells_lead_to_numbers() {
        let schema = Schema::parse(TEXT).unwrap();
        let found = |tag: u128, cells: Range<usize>| {
            let mut found = Vec::new();
            let start = Place { cells: 0, plain: 0 };
            let visit = &mut |cell, number| found.push((cell, number));
            schema.containers_in(start, cells, &|_, _| tag, visit);
            found
        };
        assert_eq!(
            found(2, 0..7),
            [(0, 0), (1, 1), (2, 2), (3, 4), (4, 6), (5, 6), (6, 7)],
            "a cell of an enum is that of its variant"
        );
        assert_eq!(found(0, 3..4), [(3, 3)]);
        assert_eq!(found(1, 2..4), [(2, 2)]);
        assert_eq!(found(1, 5..6), [(5, 6)]);
    }
}
