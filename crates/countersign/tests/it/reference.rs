//! The reference in the documentation is what the binary says of itself.

use crate::stage::{run, said};

#[test]
fn the_reference_is_what_can_be_typed() {
    let (code, generated) = said(&run(&["reference"]));
    assert_eq!(code, 0);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli.md");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == generated, "run this test with UPDATE_REFERENCE=1 and look at the difference");
}
