/// Handle. A [`Sensor`] in a shared segment: typed accessors for each field.
#[allow(
    non_camel_case_types,
    clippy::nursery,
    reason = "the struct itself is warned of"
)]
pub struct SensorRef {
    slot: ::shm::__private::Slot,
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
    const _: ::shm::__private::Layout = <Sensor as ::shm::__private::Shared>::LAYOUT;
    const _: () = (::shm::__private::assert_no_fault)(
        <String as ::shm::__private::Shared>::FAULT,
    );
    const _: () = (::shm::__private::assert_no_fault)(
        <Option<Part> as ::shm::__private::Shared>::FAULT,
    );
    const _: () = (::shm::__private::assert_no_fault)(
        <[f32; 3] as ::shm::__private::Shared>::FAULT,
    );
    #[allow(dead_code, reason = "it is there to be compiled")]
    const fn __shm_fields_are_shared() {
        let _: ::shm::__private::Layout = <u64 as ::shm::__private::Shared>::LAYOUT;
        let _: ::shm::__private::Layout = <u32 as ::shm::__private::Shared>::LAYOUT;
        let _: ::shm::__private::Layout = <String as ::shm::__private::Shared>::LAYOUT;
        let _: ::shm::__private::Layout = <Option<
            Part,
        > as ::shm::__private::Shared>::LAYOUT;
        let _: ::shm::__private::Layout = <[f32; 3] as ::shm::__private::Shared>::LAYOUT;
    }
    #[automatically_derived]
    impl ::shm::__private::Shared for Sensor {
        type Get = SensorRef;
        type Mode = ::shm::__private::Checked;
        const LAYOUT: ::shm::__private::Layout = <SensorRef>::__SHM_PLAN.layout;
        const TYPE: &'static ::shm::__private::TypeInfo = &::shm::__private::TypeInfo::Struct(
            <Self as ::shm::__private::Struct>::INFO,
        );
        fn get(
            slot: &::shm::__private::Slot,
            place: ::shm::__private::Place,
        ) -> SensorRef {
            SensorRef {
                slot: slot.part(place),
            }
        }
        #[inline]
        fn encode(
            &self,
            image: &mut impl ::shm::__private::Sink,
            at: ::shm::__private::Place,
        ) {
            let plan = &<SensorRef>::__SHM_PLAN;
            let _ = (&image, at, plan);
            <u64 as ::shm::__private::Shared>::encode(
                &self.id,
                image,
                at.part(plan.places[0usize]),
            );
            <u32 as ::shm::__private::Shared>::encode(
                &self.count,
                image,
                at.part(plan.places[1usize]),
            );
            <String as ::shm::__private::Shared>::encode(
                &self.label,
                image,
                at.part(plan.places[2usize]),
            );
            <Option<
                Part,
            > as ::shm::__private::Shared>::encode(
                &self.part,
                image,
                at.part(plan.places[3usize]),
            );
            <[f32; 3] as ::shm::__private::Shared>::encode(
                &self.r#kind,
                image,
                at.part(plan.places[4usize]),
            );
        }
        #[inline]
        fn decode(
            reader: &impl ::shm::__private::Source,
            at: ::shm::__private::Place,
        ) -> ::shm::__private::Result<Self> {
            let plan = &<SensorRef>::__SHM_PLAN;
            let _ = (reader, at, plan);
            ::core::result::Result::Ok(Self {
                id: <u64 as ::shm::__private::Shared>::take(
                    reader,
                    at.part(plan.places[0usize]),
                )?,
                count: <u32 as ::shm::__private::Shared>::take(
                    reader,
                    at.part(plan.places[1usize]),
                )?,
                label: <String as ::shm::__private::Shared>::take(
                    reader,
                    at.part(plan.places[2usize]),
                )?,
                part: <Option<
                    Part,
                > as ::shm::__private::Shared>::take(
                    reader,
                    at.part(plan.places[3usize]),
                )?,
                cache: ::core::default::Default::default(),
                r#kind: <[f32; 3] as ::shm::__private::Shared>::take(
                    reader,
                    at.part(plan.places[4usize]),
                )?,
            })
        }
    }
    #[automatically_derived]
    impl ::shm::__private::Struct for Sensor {
        type Ref = SensorRef;
        const NAME: &'static ::shm::__private::NameInfo = <SensorRef>::__SHM_NAME;
        const INFO: &'static ::shm::__private::StructInfo = &::shm::__private::StructInfo::new(
            <SensorRef>::__SHM_NAME,
            <SensorRef>::__SHM_FIELDS,
            "A sensor.",
        );
        const FIXED: &'static [::shm::__private::Fixed<'static>] = &[
            ::shm::__private::Fixed::new(
                "id",
                <SensorRef>::__SHM_PLAN.places[0usize],
                <u64 as ::shm::__private::Shared>::LAYOUT,
            ),
        ];
        fn attach(place: ::shm::__private::Slot) -> SensorRef {
            SensorRef { slot: place }
        }
    }
    #[allow(dead_code, reason = "generated for every field")]
    impl SensorRef {
        const __SHM_PLAN: ::shm::__private::Plan<5usize> = ::shm::__private::Plan::new([
            <u64 as ::shm::__private::Shared>::LAYOUT,
            <u32 as ::shm::__private::Shared>::LAYOUT,
            <String as ::shm::__private::Shared>::LAYOUT,
            <Option<Part> as ::shm::__private::Shared>::LAYOUT,
            <[f32; 3] as ::shm::__private::Shared>::LAYOUT,
        ]);
        const __SHM_ARGS: &'static [::shm::__private::ArgInfo] = &[];
        const __SHM_NAME: &'static ::shm::__private::NameInfo = &::shm::__private::NameInfo::new(
            "plant.Sensor",
            Self::__SHM_ARGS,
            0,
        );
        const __SHM_FIELDS: &'static [::shm::__private::FieldInfo] = &[
            ::shm::__private::FieldInfo::new(
                "id",
                <u64 as ::shm::__private::Shared>::TYPE,
                true,
                "Who it is.",
                false,
            ),
            ::shm::__private::FieldInfo::new(
                "count",
                <u32 as ::shm::__private::Shared>::TYPE,
                false,
                "",
                false,
            ),
            ::shm::__private::FieldInfo::new(
                "label",
                <String as ::shm::__private::Shared>::TYPE,
                false,
                "",
                false,
            ),
            ::shm::__private::FieldInfo::new(
                "part",
                <Option<Part> as ::shm::__private::Shared>::TYPE,
                false,
                "",
                false,
            ),
            ::shm::__private::FieldInfo::new(
                "type",
                <[f32; 3] as ::shm::__private::Shared>::TYPE,
                false,
                "",
                false,
            ),
        ];
        /// A copy of all fields, as they were at one moment.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        pub fn load(&self) -> ::shm::__private::Result<Sensor> {
            self.slot.load::<Sensor>()
        }
        /// Replaces all fields at once.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, or a read-only field differs;
        /// then nothing has changed.
        #[inline]
        pub fn store(
            &self,
            value: impl ::core::borrow::Borrow<Sensor>,
        ) -> ::shm::__private::Result<()> {
            self.slot.store::<Sensor>(::core::borrow::Borrow::borrow(&value))
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
            change: impl ::core::ops::FnMut(&mut Sensor) -> R,
        ) -> ::shm::__private::Result<R> {
            self.slot.update::<Sensor, R>(change)
        }
        /// Who it is.
        #[inline]
        pub fn id(&self) -> u64 {
            <u64 as ::shm::__private::Shared>::get(
                &self.slot,
                Self::__SHM_PLAN.places[0usize],
            )
        }
        /// A copy of the field `id`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        pub fn try_id(&self) -> ::shm::__private::Result<u64> {
            <u64 as ::shm::__private::Shared>::read(
                &self.slot,
                Self::__SHM_PLAN.places[0usize],
            )
        }
        /// The field `count`, read at one moment.
        #[inline]
        pub(crate) fn count(&self) -> u32 {
            <u32 as ::shm::__private::Shared>::get(
                &self.slot,
                Self::__SHM_PLAN.places[1usize],
            )
        }
        /// A copy of the field `count`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        pub(crate) fn try_count(&self) -> ::shm::__private::Result<u32> {
            <u32 as ::shm::__private::Shared>::read(
                &self.slot,
                Self::__SHM_PLAN.places[1usize],
            )
        }
        /// Sets the field `count`.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        pub(crate) fn set_count(&self, value: u32) -> ::shm::__private::Result<()> {
            <u32 as ::shm::__private::Shared>::set(
                &self.slot,
                Self::__SHM_PLAN.places[1usize],
                &value,
            )
        }
        /// Adds to the field `count`, wrapping around, and returns what it was.
        ///
        /// # Errors
        /// If the segment is closed, corrupt or read-only; then nothing has changed.
        #[inline]
        pub(crate) fn fetch_add_count(
            &self,
            delta: u32,
        ) -> ::shm::__private::Result<u32> {
            self.slot.fetch_add::<u32>(Self::__SHM_PLAN.places[1usize], delta)
        }
        /// Sets the field `count` and returns what it was.
        ///
        /// # Errors
        /// If the segment is closed, corrupt or read-only; then nothing has changed.
        #[inline]
        pub(crate) fn swap_count(&self, value: u32) -> ::shm::__private::Result<u32> {
            self.slot.swap::<u32>(Self::__SHM_PLAN.places[1usize], value)
        }
        /// Sets the field `count` if it is `old`; whether it was.
        ///
        /// # Errors
        /// If the segment is closed, corrupt or read-only; then nothing has changed.
        #[inline]
        pub(crate) fn compare_exchange_count(
            &self,
            old: u32,
            new: u32,
        ) -> ::shm::__private::Result<bool> {
            self.slot.compare_exchange::<u32>(Self::__SHM_PLAN.places[1usize], old, new)
        }
        /// The field `label`, read at one moment.
        #[inline]
        fn label(&self) -> <String as ::shm::__private::Shared>::Get {
            <String as ::shm::__private::Shared>::get(
                &self.slot,
                Self::__SHM_PLAN.places[2usize],
            )
        }
        /// A copy of the field `label`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        fn try_label(&self) -> ::shm::__private::Result<String> {
            <String as ::shm::__private::Shared>::read(
                &self.slot,
                Self::__SHM_PLAN.places[2usize],
            )
        }
        /// Sets the field `label`.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        fn set_label(
            &self,
            value: impl ::core::convert::Into<String>,
        ) -> ::shm::__private::Result<()> {
            <String as ::shm::__private::Shared>::set(
                &self.slot,
                Self::__SHM_PLAN.places[2usize],
                &::core::convert::Into::into(value),
            )
        }
        /// The field `part`, read at one moment.
        #[inline]
        fn part(&self) -> <Option<Part> as ::shm::__private::Shared>::Get {
            <Option<
                Part,
            > as ::shm::__private::Shared>::get(
                &self.slot,
                Self::__SHM_PLAN.places[3usize],
            )
        }
        /// A copy of the field `part`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        fn try_part(&self) -> ::shm::__private::Result<Option<Part>> {
            <Option<
                Part,
            > as ::shm::__private::Shared>::read(
                &self.slot,
                Self::__SHM_PLAN.places[3usize],
            )
        }
        /// Sets the field `part`.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        fn set_part(&self, value: Option<Part>) -> ::shm::__private::Result<()> {
            <Option<
                Part,
            > as ::shm::__private::Shared>::set(
                &self.slot,
                Self::__SHM_PLAN.places[3usize],
                &value,
            )
        }
        /// The field `kind`, read at one moment.
        #[inline]
        fn r#kind(&self) -> <[f32; 3] as ::shm::__private::Shared>::Get {
            <[f32; 3] as ::shm::__private::Shared>::get(
                &self.slot,
                Self::__SHM_PLAN.places[4usize],
            )
        }
        /// A copy of the field `kind`, or why it cannot be read.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        fn try_kind(&self) -> ::shm::__private::Result<[f32; 3]> {
            <[f32; 3] as ::shm::__private::Shared>::read(
                &self.slot,
                Self::__SHM_PLAN.places[4usize],
            )
        }
        /// Sets the field `kind`.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        fn set_kind(&self, value: [f32; 3]) -> ::shm::__private::Result<()> {
            <[f32; 3] as ::shm::__private::Shared>::set(
                &self.slot,
                Self::__SHM_PLAN.places[4usize],
                &value,
            )
        }
        /// The elements of the field `kind`, each by itself.
        #[inline]
        #[must_use]
        fn items_kind(&self) -> ::shm::__private::ArrayRef<f32, 3> {
            ::shm::__private::ArrayRef::new(&self.slot, Self::__SHM_PLAN.places[4usize])
        }
    }
    #[automatically_derived]
    impl ::core::clone::Clone for SensorRef {
        fn clone(&self) -> Self {
            SensorRef {
                slot: ::core::clone::Clone::clone(&self.slot),
            }
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Debug for SensorRef {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            ::shm::__private::debug::<
                Sensor,
            >(&self.slot, ::core::stringify!(SensorRef), f)
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<&SensorRef> for ::shm::__private::Record {
        fn from(handle: &SensorRef) -> Self {
            ::core::convert::From::from(handle.slot.record::<Sensor>())
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<SensorRef> for ::shm::__private::Record {
        fn from(handle: SensorRef) -> Self {
            ::core::convert::From::from(&handle)
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<&SensorRef> for ::shm::__private::Value {
        fn from(handle: &SensorRef) -> Self {
            ::core::convert::From::from(handle.slot.record::<Sensor>())
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<SensorRef> for ::shm::__private::Value {
        fn from(handle: SensorRef) -> Self {
            ::core::convert::From::from(&handle)
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<&SensorRef> for ::shm::__private::Link<Sensor> {
        fn from(handle: &SensorRef) -> Self {
            ::shm::__private::Link::new(handle)
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<SensorRef> for ::shm::__private::Link<Sensor> {
        fn from(handle: SensorRef) -> Self {
            ::shm::__private::Link::new(&handle)
        }
    }
};
