//! The code that a lowered site jumps to.

use super::decode::{Instruction, Kind, LONGEST, decode, is_padding};
use crate::uaccess::UserSlice;
use heapless::Vec;

/// Room for one trampoline: 18 bytes of call, two moved instructions, a jump back.
pub const SLOT: usize = 48;

/// Bytes of a jump with a 32-bit displacement: what a site must give.
pub const WINDOW: usize = 5;

/// `lea rsp, [rsp-128]`: over the red zone, flags untouched.
const STEP_DOWN: [u8; 5] = [0x48, 0x8d, 0x64, 0x24, 0x80];
/// `lea rsp, [rsp+128]`.
const STEP_UP: [u8; 8] = [0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0];

/// Where the moved instructions start in a trampoline.
pub const MOVED: usize = STEP_DOWN.len() + WINDOW + STEP_UP.len();

/// The same in a trampoline that answers one call by itself: `cmp rax, imm8` (4 bytes),
/// `jne rel32` (6), `mov eax, imm32` (5).
pub const QUICK_MOVED: usize = QUICK_ANSWER + 5;

/// Where such a trampoline does what is left when the number is known.
pub const QUICK_ANSWER: usize = 10;

const _: () = assert!(MOVED + 2 + LONGEST + WINDOW <= SLOT && QUICK_MOVED <= MOVED);

/// The instructions behind a `syscall` that have to move with it.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    first: Instruction,
    second: Option<Instruction>,
}

impl Tail {
    /// Reads the tail from the bytes behind the `syscall`: one instruction of at least three
    /// bytes; or a two-byte one and another; or a return before padding, which nothing executes.
    /// Behind a jump something else begins, or data, which is nobody's business here.
    pub fn read(code: &[u8]) -> Option<Self> {
        let first = decode(code)?;
        match first.kind {
            Kind::Return if is_padding(&code[1..]) => Some(Self {
                first,
                second: None,
            }),
            Kind::Return => None,
            _ if first.len >= 3 => Some(Self {
                first,
                second: None,
            }),
            Kind::Plain | Kind::Jump if first.len == 2 => {
                let second = decode(&code[2..]).filter(|i| i.kind != Kind::Return)?;
                Some(Self {
                    first,
                    second: Some(second),
                })
            }
            _ => None,
        }
    }

    /// How far behind the first moved instruction the second is, if there is one: then the window has
    /// an inner boundary at +4.
    pub fn second(&self) -> Option<u8> {
        let moved = match self.first.kind {
            Kind::Jump => WINDOW as u8,
            _ => 2,
        };
        self.second.map(|_| moved)
    }

    /// Whether the status flags are dead behind the call.
    pub fn sets_flags(&self) -> bool {
        self.first.sets_flags
    }

    fn len(&self) -> usize {
        self.first.len + self.second.map_or(0, |i| i.len)
    }
}

/// Writes code at a place, keeping count of where that is.
struct Assembler {
    at: usize,
    code: Vec<u8, SLOT>,
}

impl Assembler {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.code.extend_from_slice(bytes).ok()
    }

    fn here(&self) -> usize {
        self.at + self.code.len()
    }

    /// `opcode rel32`.
    fn branch(&mut self, opcode: &[u8], to: usize) -> Option<()> {
        self.bytes(opcode)?;
        let displacement = distance(self.here() + 4, to)?;
        self.bytes(&displacement)
    }

    /// Copies the instruction `code`, which stood at `from`; `true` when nothing follows it.
    fn moved(&mut self, code: &[u8], from: usize, kind: Kind) -> Option<bool> {
        let behind = from + code.len();
        match kind {
            Kind::Plain => self.bytes(code)?,
            Kind::Return => {
                self.bytes(code)?;
                return Some(true);
            }
            Kind::RipRelative(offset) => {
                let field = code.get(offset..offset + 4)?.try_into().ok()?;
                let target = behind.wrapping_add_signed(i32::from_le_bytes(field) as isize);
                let displacement = distance(self.here() + code.len(), target)?;
                self.bytes(&code[..offset])?;
                self.bytes(&displacement)?;
                self.bytes(&code[offset + 4..])?;
            }
            Kind::Branch(condition) => {
                self.branch(&[0x0f, 0x80 | condition], target(code, behind)?)?
            }
            Kind::Jump => {
                self.branch(&[0xe9], target(code, behind)?)?;
                return Some(true);
            }
            // It returns to where it would have: push and jump.
            Kind::Call => {
                self.bytes(&[0x68])?;
                self.bytes(&i32::try_from(behind).ok()?.to_le_bytes())?;
                self.branch(&[0xe9], target(code, behind)?)?;
                return Some(true);
            }
        }
        Some(false)
    }
}

impl Assembler {
    /// What moved from behind the `syscall` at `site`, and the way back: the end of a trampoline.
    fn tail(mut self, site: usize, code: &[u8], tail: &Tail) -> Option<Vec<u8, SLOT>> {
        let first = tail.first.len;
        let mut ended = self.moved(&code[..first], site + 2, tail.first.kind)?;
        if let Some(second) = tail.second {
            ended = self.moved(&code[first..tail.len()], site + 2 + first, second.kind)?;
        }
        if !ended {
            self.branch(&[0xe9], site + 2 + tail.len())?;
        }
        Some(self.code)
    }
}

/// Where a relative branch goes.
fn target(code: &[u8], behind: usize) -> Option<usize> {
    let displacement = match code {
        [_, short] => i32::from(*short as i8),
        [.., a, b, c, d] => i32::from_le_bytes([*a, *b, *c, *d]),
        _ => return None,
    };
    Some(behind.wrapping_add_signed(displacement as isize))
}

/// A rel32 from the address behind an instruction; `None` when it is out of reach.
pub fn distance(from: usize, to: usize) -> Option<[u8; 4]> {
    i32::try_from(to as i64 - from as i64)
        .ok()
        .map(i32::to_le_bytes)
}

/// The jump at `at` to `to`.
pub fn jump_to(at: usize, to: usize) -> Option<[u8; WINDOW]> {
    let [a, b, c, d] = distance(at + WINDOW, to)?;
    Some([0xe9, a, b, c, d])
}

/// Where the unconditional jump at `at`, if it is one, goes.
pub fn jump_at(at: usize) -> Option<usize> {
    let mut code = [0; WINDOW];
    let read = UserSlice::new(at, WINDOW).read(&mut code);
    let [0xe9, displacement @ ..] = code else {
        return None;
    };
    let displacement = i32::from_le_bytes(displacement) as isize;
    (read == Ok(WINDOW)).then_some((at + WINDOW).wrapping_add_signed(displacement))
}

/// The trampoline at `at` for the `syscall` at `site`, behind which are `code` and so `tail`.
pub fn build(
    at: usize,
    site: usize,
    code: &[u8],
    tail: &Tail,
    shim: usize,
) -> Option<Vec<u8, SLOT>> {
    let mut out = Assembler {
        at,
        code: Vec::new(),
    };
    out.bytes(&STEP_DOWN)?;
    out.branch(&[0xe8], shim)?;
    out.bytes(&STEP_UP)?;
    out.tail(site, code, tail)
}

/// The same when `call` is a number and what it always returns: that needs no shim. Every other
/// number goes on to `ordinary`, from [`build`]. The comparison changes the status flags; from
/// [`QUICK_ANSWER`] on they are kept.
pub fn build_quick(
    at: usize,
    site: usize,
    code: &[u8],
    tail: &Tail,
    call: (usize, u32),
    ordinary: usize,
) -> Option<Vec<u8, SLOT>> {
    let mut out = Assembler {
        at,
        code: Vec::new(),
    };
    let number = i8::try_from(call.0).ok()?;
    out.bytes(&[0x48, 0x83, 0xf8, number as u8])?;
    out.branch(&[0x0f, 0x85], ordinary)?;
    out.bytes(&[0xb8])?;
    out.bytes(&call.1.to_le_bytes())?;
    out.tail(site, code, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(code: &[u8]) -> Vec<u8, SLOT> {
        build(0x1000, 0x2000, code, &Tail::read(code).unwrap(), 0x3000).unwrap()
    }

    fn field(code: &[u8], at: usize) -> i64 {
        i64::from(i32::from_le_bytes(code[at..at + 4].try_into().unwrap()))
    }

    #[test]
    fn trampolines_call_and_come_back_behind_what_moved() {
        let code = built(&[0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x77]);
        assert_eq!(0x100a + field(&code, 6), 0x3000);
        assert_eq!(code[MOVED..MOVED + 6], [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff]);
        assert_eq!(
            0x1000 + code.len() as i64 + field(&code, code.len() - 4),
            0x2008
        );
    }

    #[test]
    fn a_quick_trampoline_answers_one_number_and_leaves_the_others() {
        let code = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x77];
        let tail = Tail::read(&code).unwrap();
        let quick = build_quick(0x1000, 0x2000, &code, &tail, (39, 0x1234), 0x5000).unwrap();
        assert_eq!(quick[..6], [0x48, 0x83, 0xf8, 39, 0x0f, 0x85]);
        assert_eq!(0x100a + field(&quick, 6), 0x5000);
        assert_eq!(quick[10..15], [0xb8, 0x34, 0x12, 0, 0]);
        assert_eq!(quick[QUICK_MOVED..QUICK_MOVED + 6], code[..6]);
        let back = 0x1000 + quick.len() as i64 + field(&quick, quick.len() - 4);
        assert_eq!(back, 0x2008);
        assert!(build_quick(0x1000, 0x2000, &code, &tail, (186, 1), 0x5000).is_none());
    }

    #[test]
    fn a_two_byte_instruction_takes_the_next_one_along() {
        // test eax, eax; je +0x24
        let code = built(&[0x85, 0xc0, 0x74, 0x24, 0x90]);
        assert_eq!(code[MOVED..MOVED + 4], [0x85, 0xc0, 0x0f, 0x84]);
        let behind = 0x1000 + MOVED as i64 + 8;
        assert_eq!(behind + field(&code, MOVED + 4), 0x2006 + 0x24);
        assert_eq!(
            0x1000 + code.len() as i64 + field(&code, code.len() - 4),
            0x2006
        );
    }

    #[test]
    fn a_short_jump_takes_what_stands_behind_it_along() {
        // jmp -8; mov rax, [rsp+8]
        let code = [0xeb, 0xf8, 0x48, 0x8b, 0x44, 0x24, 8];
        assert_eq!(Tail::read(&code).unwrap().second(), Some(5));
        let built = built(&code);
        assert_eq!(built[MOVED], 0xe9);
        assert_eq!(
            0x1000 + MOVED as i64 + 5 + field(&built, MOVED + 1),
            0x2004 - 8
        );
        assert_eq!(built[MOVED + 5..MOVED + 10], code[2..]);
        let back = 0x1000 + built.len() as i64 + field(&built, built.len() - 4);
        assert_eq!(back, 0x2009);
        assert_eq!(
            Tail::read(&[0x85, 0xc0, 0x74, 0x24]).unwrap().second(),
            Some(2)
        );
    }

    #[test]
    fn a_call_that_moved_returns_behind_its_old_place() {
        // mov ebx, eax; call +0x21eb2
        let code = [0x89, 0xc3, 0xe8, 0xb2, 0x1e, 2, 0];
        let built = built(&code);
        assert_eq!(built[MOVED..MOVED + 3], [0x89, 0xc3, 0x68]);
        assert_eq!(field(&built, MOVED + 3), 0x2009);
        let behind = 0x1000 + MOVED as i64 + 12;
        assert_eq!(behind + field(&built, MOVED + 8), 0x2009 + 0x21eb2);
        assert_eq!(built.len(), MOVED + 12);
    }

    #[test]
    fn rip_relative_operands_keep_their_target() {
        let code = built(&[0x48, 0x89, 0x05, 0x10, 0, 0, 0]);
        let behind = 0x1000 + MOVED as i64 + 7;
        assert_eq!(behind + field(&code, MOVED + 3), 0x2009 + 0x10);
    }

    #[test]
    fn returns_need_padding_and_need_no_way_back() {
        assert_eq!(built(&[0xc3, 0x0f, 0x1f, 0x40, 0]).len(), MOVED + 1);
        assert!(Tail::read(&[0xc3, 0x55, 0x48, 0x89]).is_none());
        assert!(Tail::read(&[0x85, 0xc0, 0xc3, 0x90]).is_none());
        assert!(Tail::read(&[0x74, 0x10, 0x90, 0x90]).is_none());
        assert!(Tail::read(&[0x0f, 0x05]).is_none());
    }

    #[test]
    fn jumps_are_read_back() {
        let code = [0xe9u8, 0x10, 0, 0, 0];
        let at = code.as_ptr() as usize;
        assert_eq!(jump_at(at), Some(at + 5 + 0x10));
        assert_eq!(jump_at([0xebu8, 0, 0, 0, 0].as_ptr() as usize), None);
    }

    #[test]
    fn what_is_out_of_reach_is_refused() {
        let code = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff];
        let tail = Tail::read(&code).unwrap();
        assert!(build(0x1000, 1 << 33, &code, &tail, 0x3000).is_none());
    }
}
