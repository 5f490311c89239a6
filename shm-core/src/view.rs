//! Structs that were stored by another version of a program: where the fields of this one lie.
//!
//! Handle. A view maps the places of a struct's fields, as its type has them, to the places of the
//! stored schema. Fields are found by name. What the stored struct has besides is left alone; what
//! it lacks must have a `default`; numbers may be narrower than here: they are read as they are, and
//! written if they fit. Anything else is a mismatch. Only handles of such structs pay for it.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::payload::{Image, Sink as _, plain_start};
use crate::schema::{Layout, Place, Scalar, Schema};

/// Handle. Where the fields of a type lie in a struct of another schema.
#[derive(Debug)]
pub(crate) struct View {
    stored: Arc<Schema>,
    /// Where the type's fields start in the payload that it would have.
    base: Place,
    fields: Vec<Mapped>,
}

/// A field of the type.
#[derive(Debug)]
struct Mapped {
    name: String,
    /// Where the type has it, in the payload that the type would have.
    here: Place,
    layout: Layout,
    /// Where it is, and its stored type if that is narrower.
    there: Option<(Place, Option<(Scalar, Scalar)>)>,
}

/// Where something is.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    /// At this place of the payload.
    At(Place),
    /// At this place, as a number of the first type instead of the second.
    Narrow(Place, Scalar, Scalar),
    /// Nowhere.
    Lacking,
}

/// Where the fields of a struct of this schema start in its payload.
pub(crate) const fn base_of(layout: Layout) -> Place {
    Place { cells: 0, plain: plain_start(layout.cells) }
}

impl View {
    /// How `here` is read from structs of the schema `stored`, if it can be.
    pub(crate) fn new(
        stored: &Arc<Schema>,
        here: &Schema,
        has_default: impl Fn(usize) -> bool,
    ) -> Option<View> {
        let (from, to) = (base_of(here.layout()), base_of(stored.layout()));
        let mut fields = Vec::with_capacity(here.fields().len());
        for (index, field) in here.fields().iter().enumerate() {
            let there = match stored.index_of(field.name()).and_then(|i| stored.fields().get(i)) {
                None if has_default(index) => None,
                None => return None,
                Some(other) if other.readonly() != field.readonly() => return None,
                Some(other) if other.ty() == field.ty() => Some((to.part(other.place()), None)),
                Some(other) => {
                    let narrow = (other.ty().scalar()?, field.ty().scalar()?);
                    if !widens(narrow.0, narrow.1) {
                        return None;
                    }
                    Some((to.part(other.place()), Some(narrow)))
                }
            };
            fields.push(Mapped {
                name: field.name().to_owned(),
                here: from.part(field.place()),
                layout: field.layout(),
                there,
            });
        }
        Some(View { stored: Arc::clone(stored), base: from, fields })
    }

    /// The schema that the struct has.
    pub(crate) fn stored(&self) -> &Arc<Schema> {
        &self.stored
    }

    /// Where plain bytes are.
    pub(crate) fn plain(&self, at: usize) -> Found {
        self.find(Place { cells: 0, plain: at }, |field| {
            (field.here.plain..field.here.plain + field.layout.size).contains(&at)
        })
    }

    /// Where a cell is.
    pub(crate) fn cell(&self, at: usize) -> Found {
        self.find(Place { cells: at, plain: 0 }, |field| {
            (field.here.cells..field.here.cells + field.layout.cells).contains(&at)
        })
    }

    /// Where a part is that takes some room.
    pub(crate) fn part(&self, at: Place, layout: Layout) -> Result<Found> {
        if layout.size == 0 && layout.cells == 0 {
            return Ok(Found::At(at));
        }
        let inside = |field: &&Mapped| {
            let plain = field.here.plain..field.here.plain + field.layout.size;
            let cells = field.here.cells..field.here.cells + field.layout.cells;
            (layout.size > 0 && plain.contains(&at.plain))
                || (layout.cells > 0 && cells.contains(&at.cells))
        };
        match self.find(at, |field| inside(&field)) {
            Found::Lacking => {
                let name = self.fields.iter().find(inside).map_or("?", |field| &field.name);
                Err(self.lacking(name))
            }
            found => Ok(found),
        }
    }

    /// Whether the field that starts here is not stored.
    pub(crate) fn lacks(&self, at: Place) -> bool {
        self.fields.iter().any(|field| field.here == at && field.there.is_none())
    }

    /// What is to be stored for a struct of the type to become `after`, which was `before`, where
    /// these bytes are stored now.
    ///
    /// # Errors
    /// `WrongType` if a field changed that is not stored, `InvalidArgument` for a number that does not
    /// fit.
    pub(crate) fn project(
        &self,
        before: &Image,
        mut after: Image,
        stored: Vec<u8>,
    ) -> Result<Image> {
        let base = base_of(self.stored.layout());
        let mut image = Image::kept(stored, self.stored.layout().cells);
        for field in &self.fields {
            let here = Place { plain: field.here.plain - self.base.plain, ..field.here };
            match field.there {
                None if before.is_same_in(&after, here, field.layout) => {}
                None => return Err(self.lacking(&field.name)),
                Some((there, narrowed)) => {
                    let there = Place { plain: there.plain - base.plain, ..there };
                    match narrowed {
                        None => image.take(there, &mut after, here, field.layout),
                        Some((from, to)) => {
                            let bits = after.bits_at(here.plain, to.size());
                            let bits = self.narrowed(field, bits, from, to)?;
                            image.bits(there.plain, from.size(), bits);
                        }
                    }
                }
            }
        }
        Ok(image)
    }

    /// The bits of a number that is to be stored where a place of the type says, in a narrower type.
    ///
    /// # Errors
    /// `InvalidArgument` if it does not fit.
    pub(crate) fn narrow_at(
        &self,
        plain: usize,
        bits: u128,
        from: Scalar,
        to: Scalar,
    ) -> Result<u128> {
        let inside = |field: &&Mapped| field.here.plain == plain && field.layout.size > 0;
        match self.fields.iter().find(inside) {
            Some(field) => self.narrowed(field, bits, from, to),
            None => Err(self.lacking("?")),
        }
    }

    fn narrowed(&self, field: &Mapped, bits: u128, from: Scalar, to: Scalar) -> Result<u128> {
        narrow(bits, from, to).ok_or_else(|| {
            let takes = match from.range() {
                Some((low, high)) => format!("{low} to {high}"),
                None => format!("what {} can hold exactly", from.name()),
            };
            Error::InvalidArgument {
                what: format!(
                    "field {:?} of this {:?} is {} ({} here: another version of the program made it) and \
                     takes {takes}, not {}; for that make a new struct",
                    field.name,
                    self.stored.name(),
                    from.name(),
                    to.name(),
                    shown(bits, to),
                ),
            }
        })
    }

    fn lacking(&self, name: &str) -> Error {
        Error::WrongType {
            what: format!(
                "this {:?} was made by a program that has no field {name:?}: it can be read as its \
                 default, not set; make a new struct",
                self.stored.name()
            ),
        }
    }

    fn find(&self, at: Place, inside: impl Fn(&Mapped) -> bool) -> Found {
        let Some(field) = self.fields.iter().find(|field| inside(field)) else {
            return Found::Lacking;
        };
        match field.there {
            None => Found::Lacking,
            Some((place, Some((from, to)))) => Found::Narrow(place, from, to),
            Some((place, None)) => Found::At(Place {
                cells: (place.cells + at.cells).wrapping_sub(field.here.cells),
                plain: (place.plain + at.plain).wrapping_sub(field.here.plain),
            }),
        }
    }
}

/// Whether each number of one type is one of the other.
fn widens(from: Scalar, to: Scalar) -> bool {
    match (from.range(), to.range()) {
        (Some((low, high)), Some((lowest, highest))) => lowest <= low && high <= highest,
        _ => (from, to) == (Scalar::F32, Scalar::F64),
    }
}

/// A number's bits in a wider type.
pub(crate) fn widen(bits: u128, from: Scalar, to: Scalar) -> u128 {
    if from == Scalar::F32 && to == Scalar::F64 {
        return u128::from(f64::from(f32::from_bits(bits as u32)).to_bits());
    }
    let unused = 128 - 8 * from.size() as u32;
    let signed = from.range().is_some_and(|(low, _)| low < 0);
    let number = if signed { (bits as i128) << unused >> unused } else { bits as i128 };
    number as u128 & (u128::MAX >> (128 - 8 * to.size()))
}

/// A number's bits in a narrower type; `None` if it does not fit.
fn narrow(bits: u128, from: Scalar, to: Scalar) -> Option<u128> {
    let small = if from == Scalar::F32 && to == Scalar::F64 {
        #[allow(clippy::cast_possible_truncation, reason = "compared below")]
        let small = f64::from_bits(bits as u64) as f32;
        if small.is_nan() {
            return Some(u128::from(small.to_bits()));
        }
        u128::from(small.to_bits())
    } else {
        bits & (u128::MAX >> (128 - 8 * from.size()))
    };
    (widen(small, from, to) == bits).then_some(small)
}

/// A number, in words.
fn shown(bits: u128, scalar: Scalar) -> String {
    match scalar.range() {
        Some((low, _)) if low < 0 => {
            let unused = 128 - 8 * scalar.size() as u32;
            ((bits as i128) << unused >> unused).to_string()
        }
        Some(_) => bits.to_string(),
        None => f64::from_bits(bits as u64).to_string(),
    }
}
