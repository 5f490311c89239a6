#[doc(hidden)]
#[allow(
    deprecated,
    private_bounds,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    reason = "generated for every variant; the enum itself is warned of"
)]
const _: () = {
    const _: ::shm::__private::Layout = <State as ::shm::__private::Shared>::LAYOUT;
    const _: () = (::shm::__private::assert_no_fault)(
        <String as ::shm::__private::Shared>::FAULT,
    );
    #[allow(dead_code, reason = "it is there to be compiled")]
    const fn __shm_fields_are_shared() {
        let _: ::shm::__private::Layout = <u32 as ::shm::__private::Shared>::LAYOUT;
        let _: ::shm::__private::Layout = <String as ::shm::__private::Shared>::LAYOUT;
    }
    #[allow(dead_code, reason = "generated")]
    impl State {
        const __SHM_ARGS: &'static [::shm::__private::ArgInfo] = &[];
        const __SHM_NAME: &'static ::shm::__private::NameInfo = &::shm::__private::NameInfo::new(
            "State",
            Self::__SHM_ARGS,
            0,
        );
        const __SHM_TAG: ::shm::__private::Scalar = <i16 as ::shm::__private::Bits>::SCALAR;
        const __SHM_HEAD: ::shm::__private::Layout = <i16 as ::shm::__private::Shared>::LAYOUT;
        const __SHM_VALUE_0: i128 = {
            let number: i16 = -1;
            number as i128
        };
        const __SHM_PLAN_0: ::shm::__private::Plan<0usize> = ::shm::__private::Plan::after(
            Self::__SHM_HEAD,
            [],
        );
        const __SHM_FIELDS_0: &'static [::shm::__private::FieldInfo] = &[];
        const __SHM_VALUE_1: i128 = Self::__SHM_VALUE_0 + 1;
        const __SHM_PLAN_1: ::shm::__private::Plan<1usize> = ::shm::__private::Plan::after(
            Self::__SHM_HEAD,
            [<u32 as ::shm::__private::Shared>::LAYOUT],
        );
        const __SHM_FIELDS_1: &'static [::shm::__private::FieldInfo] = &[
            ::shm::__private::FieldInfo::new(
                "rpm",
                <u32 as ::shm::__private::Shared>::TYPE,
                false,
                "Turns.",
                false,
            ),
        ];
        const __SHM_VALUE_2: i128 = Self::__SHM_VALUE_1 + 1;
        const __SHM_PLAN_2: ::shm::__private::Plan<1usize> = ::shm::__private::Plan::after(
            Self::__SHM_HEAD,
            [<String as ::shm::__private::Shared>::LAYOUT],
        );
        const __SHM_FIELDS_2: &'static [::shm::__private::FieldInfo] = &[
            ::shm::__private::FieldInfo::new(
                "_0",
                <String as ::shm::__private::Shared>::TYPE,
                false,
                "",
                false,
            ),
        ];
        const __SHM_VARIANTS: &'static [::shm::__private::VariantInfo] = &[
            ::shm::__private::VariantInfo::new(
                "Idle",
                Self::__SHM_VALUE_0,
                Self::__SHM_FIELDS_0,
            ),
            ::shm::__private::VariantInfo::new(
                "Running",
                Self::__SHM_VALUE_1,
                Self::__SHM_FIELDS_1,
            ),
            ::shm::__private::VariantInfo::new(
                "Failed",
                Self::__SHM_VALUE_2,
                Self::__SHM_FIELDS_2,
            ),
        ];
        const __SHM_INFO: &'static ::shm::__private::EnumInfo = &::shm::__private::EnumInfo::new(
            Self::__SHM_NAME,
            Self::__SHM_TAG,
            Self::__SHM_VARIANTS,
        );
    }
    #[automatically_derived]
    impl ::shm::__private::Shared for State {
        type Get = ::shm::__private::Result<Self>;
        type Mode = ::shm::__private::Checked;
        const LAYOUT: ::shm::__private::Layout = {
            let layout = Self::__SHM_HEAD;
            let layout = layout.either(Self::__SHM_PLAN_0.layout);
            let layout = layout.either(Self::__SHM_PLAN_1.layout);
            let layout = layout.either(Self::__SHM_PLAN_2.layout);
            layout.padded()
        };
        const TYPE: &'static ::shm::__private::TypeInfo = &::shm::__private::TypeInfo::Enum(
            Self::__SHM_INFO,
        );
        fn get(
            slot: &::shm::__private::Slot,
            place: ::shm::__private::Place,
        ) -> ::shm::__private::Result<Self> {
            slot.read(place)
        }
        fn encode(
            &self,
            image: &mut impl ::shm::__private::Sink,
            at: ::shm::__private::Place,
        ) {
            match self {
                Self::Idle {} => {
                    image.tag(at, Self::__SHM_TAG, Self::__SHM_VALUE_0);
                }
                Self::Running { rpm: __shm_rpm, cache: _ } => {
                    image.tag(at, Self::__SHM_TAG, Self::__SHM_VALUE_1);
                    <u32 as ::shm::__private::Shared>::encode(
                        __shm_rpm,
                        image,
                        at.part(Self::__SHM_PLAN_1.places[0usize]),
                    );
                }
                Self::Failed { 0: __shm_0 } => {
                    image.tag(at, Self::__SHM_TAG, Self::__SHM_VALUE_2);
                    <String as ::shm::__private::Shared>::encode(
                        __shm_0,
                        image,
                        at.part(Self::__SHM_PLAN_2.places[0usize]),
                    );
                }
            }
        }
        fn decode(
            reader: &impl ::shm::__private::Source,
            at: ::shm::__private::Place,
        ) -> ::shm::__private::Result<Self> {
            let number = reader.tag(at, Self::__SHM_TAG);
            if number == Self::__SHM_VALUE_0 {
                return ::core::result::Result::Ok(Self::Idle {});
            }
            if number == Self::__SHM_VALUE_1 {
                return ::core::result::Result::Ok(Self::Running {
                    rpm: <u32 as ::shm::__private::Shared>::take(
                        reader,
                        at.part(Self::__SHM_PLAN_1.places[0usize]),
                    )?,
                    cache: ::core::default::Default::default(),
                });
            }
            if number == Self::__SHM_VALUE_2 {
                return ::core::result::Result::Ok(Self::Failed {
                    0: <String as ::shm::__private::Shared>::take(
                        reader,
                        at.part(Self::__SHM_PLAN_2.places[0usize]),
                    )?,
                });
            }
            ::core::result::Result::Err(reader.unknown_variant("State", number))
        }
    }
};
