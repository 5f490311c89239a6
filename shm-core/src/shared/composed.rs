//! Arrays, `Option`s, tuples and `Vec`s of other fields.

use crate::error::Result;
use crate::payload::{Sink, Source};
use crate::schema::{Layout, Place, Plan, TypeInfo};
use crate::slot::Slot;
use crate::vector::{self, VecRef};

use super::{Checked, Mode, Shared, first_fault};

impl<T: Shared, const N: usize> Shared for [T; N] {
    type Get = <T::Mode as Mode>::Out<[T; N]>;
    type Mode = T::Mode;
    // One that is too large is told of where it is written, by `FAULT`.
    const LAYOUT: Layout = match T::LAYOUT.checked_array(N) {
        Some(layout) => layout,
        None => Layout::EMPTY,
    };
    const FAULT: Option<&'static str> = match T::LAYOUT.checked_array(N) {
        Some(_) => T::FAULT,
        None => Some("this array is larger than any segment; use `List`"),
    };
    const TYPE: &'static TypeInfo = &TypeInfo::Array(T::TYPE, N);

    #[inline]
    fn get(slot: &Slot, place: Place) -> Self::Get {
        <T::Mode as Mode>::get(slot, place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        for (index, item) in self.iter().enumerate() {
            item.encode(image, at.element(T::LAYOUT, index));
        }
    }

    #[inline]
    fn decode(reader: &impl Source, at: Place) -> Self::Get {
        <T::Mode as Mode>::array(|index| T::decode(reader, at.element(T::LAYOUT, index)))
    }
}

impl<T: Shared> Shared for Option<T> {
    type Get = <T::Mode as Mode>::Out<Option<T>>;
    type Mode = T::Mode;
    const LAYOUT: Layout = T::LAYOUT.option(T::NICHE);
    const TYPE: &'static TypeInfo = &TypeInfo::Option(T::TYPE);
    const FAULT: Option<&'static str> = T::FAULT;

    #[inline]
    fn get(slot: &Slot, place: Place) -> Self::Get {
        <T::Mode as Mode>::get(slot, place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        // An image starts as zeros and `None`: that is an absent value in both forms.
        if let Some(value) = self {
            if !T::NICHE {
                image.bits(at.plain, 1, 1);
            }
            value.encode(image, at.part(T::LAYOUT.option_value(T::NICHE)));
        }
    }

    #[inline]
    fn decode(reader: &impl Source, at: Place) -> Self::Get {
        let present =
            if T::NICHE { !is_none(reader, at.cells) } else { reader.bits(at.plain, 1) != 0 };
        if !present {
            return <T::Mode as Mode>::pure(None);
        }
        let inner = T::decode(reader, at.part(T::LAYOUT.option_value(T::NICHE)));
        <T::Mode as Mode>::map(inner, Some)
    }
}

/// Whether a cell holds `None`.
#[inline]
fn is_none(source: &impl Source, cell: usize) -> bool {
    source.reader().is_ok_and(|reader| reader.is_none(cell))
}

macro_rules! tuples {
    ($(($($part:ident $index:tt),+);)*) => {$(
        impl<$($part: Shared),+> Shared for ($($part,)+) {
            type Get = Result<Self>;
            type Mode = Checked;
            const LAYOUT: Layout = Plan::new([$($part::LAYOUT),+]).layout;
            const TYPE: &'static TypeInfo = &TypeInfo::Tuple(&[$($part::TYPE),+]);
            const FAULT: Option<&'static str> = first_fault(&[$($part::FAULT),+]);

            fn get(slot: &Slot, place: Place) -> Self::Get {
                slot.read(place)
            }

            fn encode(&self, image: &mut impl Sink, at: Place) {
                let plan = const { Plan::new([$($part::LAYOUT),+]) };
                $(self.$index.encode(image, at.part(plan.places[$index]));)+
            }

            fn decode(reader: &impl Source, at: Place) -> Result<Self> {
                let plan = const { Plan::new([$($part::LAYOUT),+]) };
                Ok(($($part::take(reader, at.part(plan.places[$index]))?,)+))
            }
        }
    )*};
}
tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}

impl<T: Shared> Shared for Vec<T> {
    type Get = VecRef<T>;
    type Mode = Checked;
    const LAYOUT: Layout = Layout::CELL;
    const FAULT: Option<&'static str> = vector::fault::<T>();
    const TYPE: &'static TypeInfo = &TypeInfo::Vec(T::TYPE);
    const NICHE: bool = true;

    fn get(slot: &Slot, place: Place) -> VecRef<T> {
        VecRef::new(slot.clone(), place)
    }

    fn encode(&self, image: &mut impl Sink, at: Place) {
        if let Some(image) = image.image() {
            image.part(at.cells, vector::part(self));
        }
    }

    fn decode(reader: &impl Source, at: Place) -> Result<Self> {
        vector::decode(reader.reader()?, at)
    }
}
