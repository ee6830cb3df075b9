//! FUTEX_WAKE_OP: changes one word and wakes at two.

use super::{Call, wake_some};
use crate::errno::{Errno, SysResult};
use linux_raw_sys::general as abi;

/// The encoded operation (futex(2), FUTEX_WAKE_OP).
#[derive(Clone, Copy, Debug)]
struct Operation(u32);

impl Operation {
    /// A number of 12 bits with a sign.
    const fn number(self, shift: u32) -> i32 {
        (self.0 << (20 - shift)) as i32 >> 20
    }

    const fn argument(self) -> u32 {
        let argument = self.number(12) as u32;
        // FUTEX_OP_ARG_SHIFT; Linux takes the low bits of a shift that is too far.
        if self.0 >> 31 != 0 {
            1 << (argument & 31)
        } else {
            argument
        }
    }

    /// What `old` becomes; `ENOSYS` for an unknown operation.
    fn apply(self, old: u32) -> Result<u32, Errno> {
        let argument = self.argument();
        Ok(match self.0 >> 28 & 7 {
            abi::FUTEX_OP_SET => argument,
            abi::FUTEX_OP_ADD => old.wrapping_add(argument),
            abi::FUTEX_OP_OR => old | argument,
            abi::FUTEX_OP_ANDN => old & !argument,
            abi::FUTEX_OP_XOR => old ^ argument,
            _ => return Err(Errno::ENOSYS),
        })
    }

    /// Whether the comparison with `old` holds; `ENOSYS` for an unknown one.
    fn compare(self, old: u32) -> Result<bool, Errno> {
        let (old, argument) = (old as i32, self.number(0));
        Ok(match self.0 >> 24 & 15 {
            abi::FUTEX_OP_CMP_EQ => old == argument,
            abi::FUTEX_OP_CMP_NE => old != argument,
            abi::FUTEX_OP_CMP_LT => old < argument,
            abi::FUTEX_OP_CMP_GE => old >= argument,
            abi::FUTEX_OP_CMP_LE => old <= argument,
            abi::FUTEX_OP_CMP_GT => old > argument,
            _ => return Err(Errno::ENOSYS),
        })
    }
}

/// FUTEX_WAKE_OP. Linux changes the word before it looks at the comparison, and wakes nobody when
/// that is unknown.
pub(super) fn wake_op(call: &Call) -> SysResult {
    let (key, key2) = (call.key()?, call.key2()?);
    let operation = Operation(call.value3);
    let old = call.word2.read()?;
    call.word2.write(&operation.apply(old)?)?;
    let second = operation.compare(old)?;
    let mut woken = wake_some(key, call.value as i32, u32::MAX)?;
    if second {
        woken += wake_some(key2, call.count2(), u32::MAX)?;
    }
    Ok(woken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn encode(op: u32, cmp: u32, argument: u32, compared: u32) -> Operation {
        Operation(op << 28 | cmp << 24 | (argument & 0xfff) << 12 | compared & 0xfff)
    }

    #[test]
    fn operations_change_the_word() {
        let results = [0, 1, 2, 3, 4].map(|op| encode(op, 0, 6, 0).apply(12));
        assert_eq!(results, [Ok(6), Ok(18), Ok(14), Ok(8), Ok(10)]);
        assert_eq!(
            encode(1, 0, 0xfff, 0).apply(12),
            Ok(11),
            "arguments have a sign"
        );
        assert_eq!(encode(8 | 2, 0, 5, 0).apply(0), Ok(32), "shifted");
        assert_eq!(encode(5, 0, 0, 0).apply(0), Err(Errno::ENOSYS));
    }

    #[test]
    fn comparisons_have_signs() {
        let results = [0, 1, 2, 3, 4, 5].map(|cmp| encode(0, cmp, 0, 0xffe).compare(-1i32 as u32));
        assert_eq!(results, [false, true, false, false, true, true].map(Ok));
        assert_eq!(encode(0, 6, 0, 0).compare(0), Err(Errno::ENOSYS));
    }
}
