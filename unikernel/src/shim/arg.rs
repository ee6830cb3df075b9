//! From registers to typed arguments.

use crate::errno::SysResult;
use crate::uaccess::UserPtr;

/// A type that a system call argument can have.
pub trait Arg {
    /// Decodes a register. Narrow integers take the low bits, as the Linux ABI does.
    fn from_register(value: usize) -> Self;
}

macro_rules! integers {
    ($($t:ty)*) => { $(
        impl Arg for $t {
            #[inline(always)]
            fn from_register(value: usize) -> Self {
                // The ABI ignores the upper bits of a narrow argument.
                value as Self
            }
        }
    )* };
}

integers!(i32 u32 i64 u64 usize isize);

impl<T> Arg for UserPtr<T> {
    #[inline(always)]
    fn from_register(value: usize) -> Self {
        UserPtr::new(value)
    }
}

/// A system call handler: any function of at most six [`Arg`]s.
pub trait Handler<Args> {
    /// How many arguments it takes.
    const ARITY: u8;

    /// Calls it with the six argument registers of the system call ABI.
    fn call(self, registers: [usize; 6]) -> SysResult;
}

macro_rules! handlers {
    ($($arity:literal: $($arg:ident $index:tt),*;)*) => { $(
        impl<F, $($arg: Arg),*> Handler<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> SysResult,
        {
            const ARITY: u8 = $arity;

            #[inline(always)]
            fn call(self, _registers: [usize; 6]) -> SysResult {
                self($($arg::from_register(_registers[$index])),*)
            }
        }
    )* };
}

handlers! {
    0: ;
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F5 5;
}

/// A short cut of a handler: the same arguments, `None` to leave the call to it.
pub trait ShortCut<Args> {
    /// Calls it with the six argument registers.
    fn call(self, registers: [usize; 6]) -> Option<usize>;
}

macro_rules! short_cuts {
    ($($($arg:ident $index:tt),+;)*) => { $(
        impl<F, $($arg: Arg),+> ShortCut<($($arg,)+)> for F
        where
            F: Fn($($arg),+) -> Option<usize>,
        {
            #[inline(always)]
            fn call(self, registers: [usize; 6]) -> Option<usize> {
                self($($arg::from_register(registers[$index])),+)
            }
        }
    )* };
}

short_cuts! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4, F5 5;
}

/// The arity of a handler value (const-friendly through inference).
pub const fn arity<Args, H: Handler<Args>>(_handler: &H) -> u8 {
    H::ARITY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(a: i32, b: UserPtr<u8>) -> SysResult {
        Ok((a as isize as usize).wrapping_add(b.address()))
    }

    #[test]
    fn narrow_arguments_take_the_low_bits() {
        assert_eq!(two.call([0xffff_ffff_ffff_ffff, 2, 9, 9, 9, 9]), Ok(1));
        assert_eq!(arity(&two), 2);
    }
}
