//! Links without a libc, with the sections of the library where it expects them.

fn main() {
    let script = std::env::var("DEP_LINTEL_BARE_SCRIPT").expect("lintel-kernel exports its script");
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{script}");
    // Nothing is relocated at the start, so nothing is to be made read-only then: that takes two pages.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,norelro");
    // At 1 MiB, where RAM begins on a PC: two mebibytes are enough then.
    println!("cargo:rustc-link-arg-bins=-Wl,--image-base=0x100000");
}
