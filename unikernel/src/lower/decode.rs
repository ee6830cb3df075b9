//! A decoder for the few instructions that lowering may move.
//!
//! It is asked only about bytes that are known to start an instruction, and accepts only complete
//! encodings whose meaning it knows (Intel SDM vol. 2, chapter 2 and appendix A); everything else
//! is refused, which costs a trap and nothing more.

/// The longest instruction that can result: a prefix, REX, opcode, ModRM, SIB, disp32 and imm32.
pub const LONGEST: usize = 13;

/// What has to be done to an instruction when it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it means the same anywhere.
    Plain,
    /// It addresses memory relative to RIP; the 32-bit displacement is at this offset.
    RipRelative(usize),
    /// A conditional jump with this condition (the low four bits of its opcode).
    Branch(u8),
    /// An unconditional jump.
    Jump,
    /// A call of a relative address.
    Call,
    /// A return: nothing behind it is reached.
    Return,
}

/// A decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its length in bytes.
    pub len: usize,
    /// What moving it takes.
    pub kind: Kind,
    /// It sets all status flags without reading them.
    pub sets_flags: bool,
}

/// Decodes the instruction at the start of `code`, if it is one that can be moved.
pub fn decode(code: &[u8]) -> Option<Instruction> {
    // LOCK and FS with any operand in memory; the others choose among instructions behind 0x0f.
    let prefix = *code.first()?;
    let prefixed = usize::from(matches!(prefix, 0xf0 | 0x64 | 0x66 | 0xf2 | 0xf3));
    let rex = code.get(prefixed)? & 0xf0 == 0x40;
    let wide = rex && code[prefixed] & 8 != 0;
    let at = prefixed + usize::from(rex);
    let bare = at == 0;
    if matches!(prefix, 0x66 | 0xf2 | 0xf3) && *code.get(at)? != 0x0f {
        return None;
    }
    let (len, kind, sets_flags) = match *code.get(at)? {
        // add, or, and, sub, xor, cmp between register and register or memory.
        0x01 | 0x03 | 0x09 | 0x0b | 0x21 | 0x23 | 0x29 | 0x2b | 0x31 | 0x33 | 0x39 | 0x3b => {
            with_operand(code, at, 0, true)?
        }
        // test.
        0x84 | 0x85 => with_operand(code, at, 0, true)?,
        0xf6 if group(code, at)? == 0 => with_operand(code, at, 1, true)?,
        0xf7 if group(code, at)? == 0 => with_operand(code, at, 4, true)?,
        // not, neg; inc, dec, which keep the carry.
        0xf7 if group(code, at)? == 2 => with_operand(code, at, 0, false)?,
        0xf7 if group(code, at)? == 3 => with_operand(code, at, 0, true)?,
        0xff if group(code, at)? < 2 => with_operand(code, at, 0, false)?,
        // mov, lea, movsxd.
        0x63 | 0x88..=0x8b | 0x8d => with_operand(code, at, 0, false)?,
        // Group 1 with an immediate; adc and sbb (2, 3) read the carry.
        0x80 | 0x83 => with_operand(code, at, 1, !matches!(group(code, at)?, 2 | 3))?,
        0x81 => with_operand(code, at, 4, !matches!(group(code, at)?, 2 | 3))?,
        // mov r/m, imm8 and imm32.
        0xc6 if group(code, at)? == 0 => with_operand(code, at, 1, false)?,
        0xc7 if group(code, at)? == 0 => with_operand(code, at, 4, false)?,
        // cmp eax, imm32 / cmp rax, imm32.
        0x3d => (at + 5, Kind::Plain, true),
        // mov r32, imm32; with REX.W it has eight bytes of immediate.
        0xb8..=0xbf if !wide => (at + 5, Kind::Plain, false),
        condition @ 0x70..=0x7f if bare => (2, Kind::Branch(condition & 15), false),
        0x0f if bare && code.get(1)? & 0xf0 == 0x80 => (6, Kind::Branch(code[1] & 15), false),
        0xeb if bare => (2, Kind::Jump, false),
        0xe9 if bare => (5, Kind::Jump, false),
        0xe8 if bare => (5, Kind::Call, false),
        0xc3 if bare => (1, Kind::Return, false),
        0x0f if matches!(
            *code.get(at + 1)?,
            // Moves and exclusive ors of vector registers.
            0x10 | 0x11 | 0x28 | 0x29 | 0x57 | 0x6e | 0x6f | 0x7e | 0x7f | 0xd6 | 0xef
            // The long no-operation, which stands behind functions: the C library's way back from
            // a handler ends in its call. cmov, setcc, movzx, movsx.
            | 0x1f | 0x40..=0x4f | 0x90..=0x9f | 0xb6 | 0xb7 | 0xbe | 0xbf
        ) =>
        {
            with_operand(code, at + 1, 0, false)?
        }
        _ => return None,
    };
    (len <= code.len()).then_some(Instruction {
        len,
        kind,
        sets_flags,
    })
}

/// The opcode extension in the ModRM byte behind the opcode at `at`.
fn group(code: &[u8], at: usize) -> Option<u8> {
    Some(code.get(at + 1)? >> 3 & 7)
}

/// The length of an instruction with a ModRM operand and `immediate` bytes behind it.
fn with_operand(
    code: &[u8],
    at: usize,
    immediate: usize,
    sets_flags: bool,
) -> Option<(usize, Kind, bool)> {
    let modrm = *code.get(at + 1)?;
    let (mode, base) = (modrm >> 6, modrm & 7);
    let operand = at + 2;
    let sib = usize::from(mode != 3 && base == 4);
    let displacement = match mode {
        0 if base == 5 => 4,
        0 if sib == 1 && code.get(operand)? & 7 == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    let rip_relative = mode == 0 && base == 5;
    let kind = if rip_relative {
        Kind::RipRelative(operand)
    } else {
        Kind::Plain
    };
    Some((operand + sib + displacement + immediate, kind, sets_flags))
}

/// Whether at least the first two bytes of `code` are what compilers and assemblers put between
/// functions: two one-byte fillers, or a longer no-operation.
pub fn is_padding(code: &[u8]) -> bool {
    let prefixes = code.iter().take_while(|&&byte| byte == 0x66).count();
    match &code[prefixes..] {
        [0x0f, 0x1f, ..] | [0x2e, 0x0f, 0x1f, ..] => true,
        [0x90, ..] if prefixes > 0 => true,
        [0x90 | 0xcc, 0x90 | 0xcc, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(code: &[u8], len: usize, kind: Kind) {
        let found = decode(code).map(|i| (i.len, i.kind));
        assert_eq!(found, Some((len, kind)), "{code:02x?}");
    }

    #[test]
    fn lengths_are_those_of_the_manual() {
        is(&[0x48, 0x3d, 0, 0xf0, 0xff, 0xff], 6, Kind::Plain);
        is(&[0x3d, 0, 0xf0, 0xff, 0xff], 5, Kind::Plain);
        is(&[0x48, 0x89, 0xc3], 3, Kind::Plain);
        is(&[0x89, 0x83, 0xd0, 2, 0, 0], 6, Kind::Plain);
        is(&[0x48, 0x8d, 0x74, 0x24, 0x0c], 5, Kind::Plain);
        is(&[0x48, 0x8b, 0x04, 0x25, 1, 2, 3, 4], 8, Kind::Plain);
        is(&[0x48, 0x83, 0x7c, 0x24, 0x18, 0], 6, Kind::Plain);
        is(&[0x48, 0xc7, 0x44, 0x24, 8, 1, 2, 3, 4], 9, Kind::Plain);
        is(&[0x48, 0x89, 0x05, 1, 2, 3, 4], 7, Kind::RipRelative(3));
        is(&[0x83, 0x3d, 1, 2, 3, 4, 5], 7, Kind::RipRelative(2));
        is(&[0xc6, 0x05, 1, 2, 3, 4, 0], 7, Kind::RipRelative(2));
        is(&[0x80, 0xbb, 0xf8, 8, 0, 0, 0], 7, Kind::Plain);
        is(&[0x41, 0xf6, 0x44, 0x24, 8, 0x40], 6, Kind::Plain);
        is(&[0x84, 0xc0], 2, Kind::Plain);
        is(&[0x44, 0x88, 0x20], 3, Kind::Plain);
        is(&[0x74, 0x24], 2, Kind::Branch(4));
        is(&[0x0f, 0x87, 1, 2, 3, 4], 6, Kind::Branch(7));
        is(&[0xc3], 1, Kind::Return);
        is(&[0xe8, 1, 2, 3, 4], 5, Kind::Call);
        is(&[0xbf, 1, 0, 0, 0], 5, Kind::Plain);
        is(&[0x31, 0xd2], 2, Kind::Plain);
        is(&[0xf7, 0xda], 2, Kind::Plain);
        is(&[0xf0, 0xff, 0x08], 3, Kind::Plain);
        is(&[0xf0, 0x48, 0xff, 0x4b, 8], 5, Kind::Plain);
        is(&[0x64, 0x8b, 4, 0x25, 0, 3, 0, 0], 8, Kind::Plain);
        is(&[0x64, 0x48, 0x2b, 4, 0x25, 0x28, 0, 0, 0], 9, Kind::Plain);
        is(&[0x0f, 0x28, 0x44, 0x24, 0x10], 5, Kind::Plain);
        is(&[0x66, 0x0f, 0x6f, 5, 1, 2, 3, 4], 8, Kind::RipRelative(4));
        is(&[0xf3, 0x0f, 0x7e, 0x44, 0x24, 8], 6, Kind::Plain);
        is(&[0x0f, 0xb7, 0x44, 0x24, 2], 5, Kind::Plain);
        is(&[0x0f, 0x47, 0xc2], 3, Kind::Plain);
        is(&[0x0f, 0x94, 0xc0], 3, Kind::Plain);
        is(&[0x0f, 0x1f, 0x80, 0, 0, 0, 0], 7, Kind::Plain);
        is(&[0x0f, 0x1f, 0x44, 0, 0], 5, Kind::Plain);
    }

    #[test]
    fn what_is_not_known_or_not_complete_is_refused() {
        let refused: [&[u8]; 15] = [
            // not, and a mov that is another instruction.
            &[0xf6, 0x10],
            &[0xc6, 0xf8, 0],
            &[],
            &[0x48],
            &[0x48, 0x3d, 0, 0xf0, 0xff],
            &[0x48, 0xb8, 1, 2, 3, 4, 5, 6],
            &[0xe8, 1, 2, 3],
            &[0x66, 0x89, 0xc3],
            &[0x0f, 0x05],
            &[0xff, 0xd0],
            // A short immediate, a repeated move, a bounded branch, nothing but a prefix, pause.
            &[0x66, 0x81, 0xc0, 1, 2],
            &[0xf3, 0xa4],
            &[0xf2, 0x74, 0x10],
            &[0xf0],
            &[0xf3, 0x90],
        ];
        for code in refused {
            assert_eq!(decode(code), None, "{code:02x?}");
        }
    }

    #[test]
    fn flags_are_known() {
        let sets = |code: &[u8]| decode(code).unwrap().sets_flags;
        assert!(sets(&[0x85, 0xc0]) && sets(&[0x48, 0x39, 0xc2]) && sets(&[0x83, 0xf8, 1]));
        assert!(sets(&[0xf7, 0xda]) && !sets(&[0xf7, 0xd2]) && !sets(&[0xff, 0x08]));
        assert!(!sets(&[0x89, 0xc3]) && !sets(&[0x83, 0xd0, 0]) && !sets(&[0x74, 0x10]));
    }

    #[test]
    fn padding_is_recognised() {
        assert!(is_padding(&[0x66, 0x66, 0x2e, 0x0f, 0x1f]) && is_padding(&[0xcc, 0xcc]));
        assert!(is_padding(&[0x0f, 0x1f, 0x40]) && is_padding(&[0x66, 0x90]));
        // One byte is not enough: behind it a function may begin.
        assert!(!is_padding(&[0x90, 0x55]) && !is_padding(&[0xcc, 0x48]));
        assert!(!is_padding(&[0x55, 0x48]) && !is_padding(&[]) && !is_padding(&[0x0f, 0x05]));
    }
}
