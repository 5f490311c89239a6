::core::compile_error! {
    "`usize` differs between platforms; use `u64`"
}
#[doc(hidden)]
#[allow(missing_docs, dead_code, reason = "stands in for a struct with mistakes")]
struct BrokenRef {
    of: ::core::marker::PhantomData<fn(*const Broken)>,
}
#[doc(hidden)]
#[allow(
    deprecated,
    non_snake_case,
    private_bounds,
    private_interfaces,
    reason = "stands in for a struct with mistakes"
)]
const _: () = {
    impl renamed::__private::Shared for Broken {
        type Get = BrokenRef;
        type Mode = renamed::__private::Checked;
        const LAYOUT: renamed::__private::Layout = renamed::__private::Layout::EMPTY;
        const TYPE: &'static renamed::__private::TypeInfo = &renamed::__private::TypeInfo::Value;
        fn get(_: &renamed::__private::Slot, _: renamed::__private::Place) -> Self::Get {
            loop {}
        }
        fn encode(
            &self,
            _: &mut impl renamed::__private::Sink,
            _: renamed::__private::Place,
        ) {}
        fn decode(
            _: &impl renamed::__private::Source,
            _: renamed::__private::Place,
        ) -> renamed::__private::Result<Self> {
            loop {}
        }
    }
    impl renamed::__private::Struct for Broken {
        type Ref = BrokenRef;
        const INFO: &'static renamed::__private::StructInfo = &renamed::__private::StructInfo::new(
            Self::NAME,
            &[],
            "",
        );
        const FIXED: &'static [renamed::__private::Fixed<'static>] = &[];
        const NAME: &'static renamed::__private::NameInfo = &renamed::__private::NameInfo::new(
            "",
            &[],
            0,
        );
        fn attach(_: renamed::__private::Slot) -> Self::Ref {
            loop {}
        }
    }
    impl ::core::convert::From<&BrokenRef> for renamed::__private::Record {
        fn from(_: &BrokenRef) -> Self {
            loop {}
        }
    }
    impl ::core::convert::From<BrokenRef> for renamed::__private::Record {
        fn from(_: BrokenRef) -> Self {
            loop {}
        }
    }
    impl ::core::convert::From<&BrokenRef> for renamed::__private::Value {
        fn from(_: &BrokenRef) -> Self {
            loop {}
        }
    }
    impl ::core::convert::From<BrokenRef> for renamed::__private::Value {
        fn from(_: BrokenRef) -> Self {
            loop {}
        }
    }
    impl ::core::convert::From<&BrokenRef> for renamed::__private::Link<Broken> {
        fn from(_: &BrokenRef) -> Self {
            loop {}
        }
    }
    impl ::core::convert::From<BrokenRef> for renamed::__private::Link<Broken> {
        fn from(_: BrokenRef) -> Self {
            loop {}
        }
    }
    impl ::core::clone::Clone for BrokenRef {
        fn clone(&self) -> Self {
            loop {}
        }
    }
    impl ::core::fmt::Debug for BrokenRef {
        fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            loop {}
        }
    }
    #[allow(missing_docs, dead_code, reason = "stands in for a struct with mistakes")]
    impl BrokenRef {
        fn load(&self) -> renamed::__private::Result<Broken> {
            loop {}
        }
        fn store(
            &self,
            _: impl ::core::borrow::Borrow<Broken>,
        ) -> renamed::__private::Result<()> {
            loop {}
        }
        fn update<R>(
            &self,
            _: impl ::core::ops::FnMut(&mut Broken) -> R,
        ) -> renamed::__private::Result<R> {
            loop {}
        }
        fn good(&self) -> <u32 as renamed::__private::Shared>::Get {
            loop {}
        }
        fn try_good(&self) -> renamed::__private::Result<u32> {
            loop {}
        }
        fn set_good(&self, _: u32) -> renamed::__private::Result<()> {
            loop {}
        }
        fn fetch_add_good(&self, _: u32) -> renamed::__private::Result<u32> {
            loop {}
        }
        fn swap_good(&self, _: u32) -> renamed::__private::Result<u32> {
            loop {}
        }
        fn compare_exchange_good(
            &self,
            _: u32,
            _: u32,
        ) -> renamed::__private::Result<bool> {
            loop {}
        }
    }
};
