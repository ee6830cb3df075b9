//! What unit tests of all modules need.

/// How often a random test repeats what takes `natively` rounds on the CPU: Miri, which interprets, is
/// some hundred times slower.
pub const fn rounds(natively: usize) -> usize {
    if cfg!(miri) { natively / 400 } else { natively }
}
