/// Handle. A [`Pair`] in a shared segment: typed accessors for each field.
#[allow(
    non_camel_case_types,
    clippy::nursery,
    reason = "the struct itself is warned of"
)]
pub struct PairRef<A, const N: usize>
where
    A: Shared + Copy,
{
    slot: ::shm::__private::Slot,
    of: ::core::marker::PhantomData<fn() -> (A,)>,
}
#[doc(hidden)]
#[allow(
    deprecated,
    non_snake_case,
    private_bounds,
    private_interfaces,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    reason = "generated for every field; the struct itself is warned of"
)]
const _: () = {
    #[allow(dead_code, reason = "it is there to be compiled")]
    const fn __shm_fields_are_shared<A, const N: usize>()
    where
        A: Shared + Copy,
    {
        let _: ::shm::__private::Layout = <A as ::shm::__private::Shared>::LAYOUT;
        let _: ::shm::__private::Layout = <[u8; N] as ::shm::__private::Shared>::LAYOUT;
    }
    #[automatically_derived]
    impl<A, const N: usize> ::shm::__private::Shared for Pair<A, N>
    where
        A: Shared + Copy,
    {
        type Get = PairRef<A, N>;
        type Mode = ::shm::__private::Checked;
        const LAYOUT: ::shm::__private::Layout = <PairRef<A, N>>::__SHM_PLAN.layout;
        const TYPE: &'static ::shm::__private::TypeInfo = &::shm::__private::TypeInfo::Struct(
            <Self as ::shm::__private::Struct>::INFO,
        );
        fn get(
            slot: &::shm::__private::Slot,
            place: ::shm::__private::Place,
        ) -> PairRef<A, N> {
            PairRef {
                slot: slot.part(place),
                of: ::core::marker::PhantomData,
            }
        }
        #[inline]
        fn encode(
            &self,
            image: &mut impl ::shm::__private::Sink,
            at: ::shm::__private::Place,
        ) {
            let plan = &<PairRef<A, N>>::__SHM_PLAN;
            let _ = (&image, at, plan);
            <A as ::shm::__private::Shared>::encode(
                &self.0,
                image,
                at.part(plan.places[0usize]),
            );
            <[u8; N] as ::shm::__private::Shared>::encode(
                &self.1,
                image,
                at.part(plan.places[1usize]),
            );
        }
        #[inline]
        fn decode(
            reader: &impl ::shm::__private::Source,
            at: ::shm::__private::Place,
        ) -> ::shm::__private::Result<Self> {
            let plan = &<PairRef<A, N>>::__SHM_PLAN;
            let _ = (reader, at, plan);
            ::core::result::Result::Ok(Self {
                0: <A as ::shm::__private::Shared>::take(
                    reader,
                    at.part(plan.places[0usize]),
                )?,
                1: if reader.lacks(at.part(plan.places[1usize])) {
                    ::core::default::Default::default()
                } else {
                    <[u8; N] as ::shm::__private::Shared>::take(
                        reader,
                        at.part(plan.places[1usize]),
                    )?
                },
            })
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::shm::__private::Struct for Pair<A, N>
    where
        A: Shared + Copy,
    {
        type Ref = PairRef<A, N>;
        const NAME: &'static ::shm::__private::NameInfo = <PairRef<A, N>>::__SHM_NAME;
        const INFO: &'static ::shm::__private::StructInfo = &::shm::__private::StructInfo::new(
            <PairRef<A, N>>::__SHM_NAME,
            <PairRef<A, N>>::__SHM_FIELDS,
            "",
        );
        const FIXED: &'static [::shm::__private::Fixed<'static>] = &[];
        fn attach(place: ::shm::__private::Slot) -> PairRef<A, N> {
            PairRef {
                slot: place,
                of: ::core::marker::PhantomData,
            }
        }
    }
    #[allow(dead_code, reason = "generated for every field")]
    impl<A, const N: usize> PairRef<A, N>
    where
        A: Shared + Copy,
    {
        const __SHM_PLAN: ::shm::__private::Plan<2usize> = ::shm::__private::Plan::new([
            <A as ::shm::__private::Shared>::LAYOUT,
            <[u8; N] as ::shm::__private::Shared>::LAYOUT,
        ]);
        const __SHM_ARGS: &'static [::shm::__private::ArgInfo] = &[
            ::shm::__private::ArgInfo::Type(<A as ::shm::__private::Shared>::TYPE),
            ::shm::__private::ArgInfo::Number(N as i128),
        ];
        const __SHM_NAME: &'static ::shm::__private::NameInfo = &::shm::__private::NameInfo::new(
            "Pair",
            Self::__SHM_ARGS,
            2,
        );
        const __SHM_FIELDS: &'static [::shm::__private::FieldInfo] = &[
            ::shm::__private::FieldInfo::new(
                "_0",
                <A as ::shm::__private::Shared>::TYPE,
                false,
                "",
                false,
            ),
            ::shm::__private::FieldInfo::new(
                "_1",
                <[u8; N] as ::shm::__private::Shared>::TYPE,
                false,
                "",
                true,
            ),
        ];
        /// A copy of all fields, as they were at one moment.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        pub fn load(&self) -> ::shm::__private::Result<Pair<A, N>> {
            self.slot.load::<Pair<A, N>>()
        }
        /// Replaces all fields at once.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, or a read-only field differs;
        /// then nothing has changed.
        #[inline]
        pub fn store(
            &self,
            value: impl ::core::borrow::Borrow<Pair<A, N>>,
        ) -> ::shm::__private::Result<()> {
            self.slot.store::<Pair<A, N>>(::core::borrow::Borrow::borrow(&value))
        }
        /// Changes any fields at once: all of it happens, or none of it.
        ///
        /// `change` works on a private copy, and again on a fresh one if another writer came
        /// first, so no update is lost; if others come first too often, while they wait. It may use
        /// the segment freely, but for this struct: its copy is to be changed.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, a read-only field was changed, or
        /// `change` changes the struct through a handle; then the struct is not updated.
        #[inline]
        pub fn update<R>(
            &self,
            change: impl ::core::ops::FnMut(&mut Pair<A, N>) -> R,
        ) -> ::shm::__private::Result<R> {
            self.slot.update::<Pair<A, N>, R>(change)
        }
        /// The field `0`, read at one moment.
        #[inline]
        fn get_0(&self) -> <A as ::shm::__private::Shared>::Get {
            <A as ::shm::__private::Shared>::get(
                &self.slot,
                Self::__SHM_PLAN.places[0usize],
            )
        }
        /// A copy of the field `0`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        fn try_0(&self) -> ::shm::__private::Result<A> {
            <A as ::shm::__private::Shared>::read(
                &self.slot,
                Self::__SHM_PLAN.places[0usize],
            )
        }
        /// Sets the field `0`.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        fn set_0(&self, value: A) -> ::shm::__private::Result<()> {
            <A as ::shm::__private::Shared>::set(
                &self.slot,
                Self::__SHM_PLAN.places[0usize],
                &value,
            )
        }
        /// The field `1`, read at one moment.
        #[inline]
        pub fn get_1(&self) -> ::shm::__private::Result<[u8; N]> {
            if self.slot.lacks(Self::__SHM_PLAN.places[1usize]) {
                ::core::result::Result::Ok(::core::default::Default::default())
            } else {
                <[u8; N] as ::shm::__private::Shared>::read(
                    &self.slot,
                    Self::__SHM_PLAN.places[1usize],
                )
            }
        }
        /// A copy of the field `1`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        pub fn try_1(&self) -> ::shm::__private::Result<[u8; N]> {
            if self.slot.lacks(Self::__SHM_PLAN.places[1usize]) {
                ::core::result::Result::Ok(::core::default::Default::default())
            } else {
                <[u8; N] as ::shm::__private::Shared>::read(
                    &self.slot,
                    Self::__SHM_PLAN.places[1usize],
                )
            }
        }
        /// Sets the field `1`.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        pub fn set_1(&self, value: [u8; N]) -> ::shm::__private::Result<()> {
            <[u8; N] as ::shm::__private::Shared>::set(
                &self.slot,
                Self::__SHM_PLAN.places[1usize],
                &value,
            )
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::clone::Clone for PairRef<A, N>
    where
        A: Shared + Copy,
    {
        fn clone(&self) -> Self {
            PairRef {
                slot: ::core::clone::Clone::clone(&self.slot),
                of: ::core::marker::PhantomData,
            }
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::fmt::Debug for PairRef<A, N>
    where
        A: Shared + Copy,
    {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::shm::__private::debug::<
                Pair<A, N>,
            >(&self.slot, ::core::stringify!(PairRef), f)
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::convert::From<&PairRef<A, N>>
    for ::shm::__private::Record
    where
        A: Shared + Copy,
    {
        fn from(handle: &PairRef<A, N>) -> Self {
            ::core::convert::From::from(handle.slot.record::<Pair<A, N>>())
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::convert::From<PairRef<A, N>>
    for ::shm::__private::Record
    where
        A: Shared + Copy,
    {
        fn from(handle: PairRef<A, N>) -> Self {
            ::core::convert::From::from(&handle)
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::convert::From<&PairRef<A, N>>
    for ::shm::__private::Value
    where
        A: Shared + Copy,
    {
        fn from(handle: &PairRef<A, N>) -> Self {
            ::core::convert::From::from(handle.slot.record::<Pair<A, N>>())
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::convert::From<PairRef<A, N>>
    for ::shm::__private::Value
    where
        A: Shared + Copy,
    {
        fn from(handle: PairRef<A, N>) -> Self {
            ::core::convert::From::from(&handle)
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::convert::From<&PairRef<A, N>>
    for ::shm::__private::Link<Pair<A, N>>
    where
        A: Shared + Copy,
    {
        fn from(handle: &PairRef<A, N>) -> Self {
            ::shm::__private::Link::new(handle)
        }
    }
    #[automatically_derived]
    impl<A, const N: usize> ::core::convert::From<PairRef<A, N>>
    for ::shm::__private::Link<Pair<A, N>>
    where
        A: Shared + Copy,
    {
        fn from(handle: PairRef<A, N>) -> Self {
            ::shm::__private::Link::new(&handle)
        }
    }
};
