//! What the derive says about each mistake: one case per message, in a folder per theme.

#[test]
fn mistakes_are_explained_at_their_token() {
    trybuild::TestCases::new().compile_fail("tests/ui/*/*.rs");
}
