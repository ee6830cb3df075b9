//! Tells programs that link the library directly where its linker script is
//! (`DEP_LINTEL_BARE_SCRIPT` in their build scripts).

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo:rerun-if-changed=bare.ld");
    println!("cargo:script={root}/bare.ld");
}
