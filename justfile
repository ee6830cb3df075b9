# Every recipe is one line: the tool does the work. `just` lists them.

_default:
    @just --list

# Run a program in a virtual machine (without a name: the demonstration)
run *ARGS:
    cargo lintel run {{ARGS}}

# Build programs and print the paths of their ELF files
build *ARGS:
    cargo lintel build {{ARGS}}

# All tests: on the host, then every program in both lives
test *ARGS:
    cargo lintel test {{ARGS}}

# Boot figures: instructions and time
boot *ARGS:
    cargo lintel boot {{ARGS}}

# Print the path of the kernel object for C programs
object *ARGS:
    cargo lintel object {{ARGS}}

# Check the kernel object: registers, stack, size, symbols
check-object *ARGS:
    cargo lintel check-object {{ARGS}}

# Write a bootable CD image
image *ARGS:
    cargo lintel image {{ARGS}}

# Formatting and lints
lint:
    cargo fmt --check && cargo clippy --all-targets -- -D warnings

# The unit tests of the VFS, memory and scheduling under Miri (needs a nightly toolchain with it)
miri *ARGS:
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance -Zmiri-ignore-leaks" cargo +nightly miri test -p unikernel --lib -- --skip sys:: {{ARGS}}
