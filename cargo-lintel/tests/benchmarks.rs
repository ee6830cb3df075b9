//! Whether the instruction counts of the documentation hold. The test needs QEMU and the rest of the
//! workspace; it passes with a note where those are missing.

#[allow(dead_code, reason = "other tests use the rest of it")]
mod machine;

use machine::{elf, text, tool};

#[test]
fn the_documented_counts_of_instructions_hold() {
    if elf("").is_none() {
        return;
    }
    let output = tool().args(["bench", "--check-docs"]).output().unwrap();
    let (figures, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{figures}{errors}");
    assert!(
        figures.contains(" counts are as docs/src/benchmarks.md says"),
        "{figures}"
    );
}
