//! What a row of the table says, and the macros that make everything else of the rows.

/// Numbers below this are looked up; Linux 6.x ends at about 470.
pub const LIMIT: usize = 512;

/// What a handler needs from the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Kernel stack, vector registers saved.
    Full = 0,
    /// Caller's stack, no vector register touched (proved by the object check).
    Fast = 1,
    /// As `Fast` where a short cut ([`crate::sys::fast`]) can take the call, else as `Full`.
    Try = 2,
}

/// What a short cut returns, with the number of the call added, when it leaves the call to the
/// ordinary handler: less than every result, and the entry finds the number in its low bits.
pub const SLOW: isize = i32::MIN as isize;

/// Whether a result says that the call was left to the ordinary handler.
#[inline(always)]
pub const fn is_declined(result: isize) -> bool {
    result < -4096
}

/// How much of the man page a call covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All of it, as far as a single process can tell.
    Complete,
    /// The part the note describes.
    Partial,
}

/// One row of the table, for documentation and tools.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// System call number (x86_64).
    pub nr: u32,
    /// Its name, as in syscalls(2).
    pub name: &'static str,
    /// Number of arguments.
    pub arity: u8,
    /// What the entry saves.
    pub class: Class,
    /// Coverage.
    pub level: Level,
    /// What is missing or particular.
    pub note: &'static str,
}

/// An entry of the dispatch table: six arguments in registers; the number on the stack.
pub type Entry = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize) -> isize;

/// A thunk or a short cut.
pub type SixArgs = extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;

/// Names a fast thunk, for the check of the object.
macro_rules! fast_name {
    (Fast $name:ident $item:item) => {
        #[unsafe(export_name = concat!("lintel_fast_", stringify!($name)))]
        $item
    };
    (Full $name:ident $item:item) => {
        $item
    };
    (Try $name:ident $item:item) => {
        $item
    };
}

/// The entry of a row in the table of fast calls.
macro_rules! fast_entry {
    ($table:ident $number:ident Fast $name:ident) => {
        $table[nr::$number as usize] = Some(thunks::$name);
    };
    ($table:ident $number:ident Full $name:ident) => {};
    ($table:ident $number:ident Try $name:ident) => {
        $table[nr::$number as usize] = Some(short_cuts::$name);
    };
}

/// The thunk of a short cut.
macro_rules! short_cut {
    (Try $number:ident $name:ident $fast:path) => {
        #[unsafe(export_name = concat!("lintel_fast_", stringify!($name)))]
        pub(super) extern "C" fn $name(
            a: usize,
            b: usize,
            c: usize,
            d: usize,
            e: usize,
            f: usize,
        ) -> isize {
            // Events note strings, which takes more than a short cut has.
            const DECLINED: isize = SLOW + nr::$number as isize;
            if events::ENABLED {
                return DECLINED;
            }
            let args = [a, b, c, d, e, f];
            profile::around(nr::$number, None, || {
                ShortCut::call($fast, args).map_or(DECLINED, |value| value as isize)
            })
        }
    };
    ($class:ident $number:ident $name:ident) => {};
}

/// Makes of the rows [`Row`]s, a thunk and perhaps a short cut each, the tables of them, and the direct
/// door.
macro_rules! syscalls {
    ($($number:ident $name:ident($arity:literal) => $handler:path, $class:ident $(($fast:path))?, $level:ident, $note:literal;)*) => {
        /// The rows, in the order of this file.
        pub const ROWS: &[Row] = &[$(Row {
            nr: nr::$number,
            name: stringify!($name),
            arity: $arity,
            class: Class::$class,
            level: Level::$level,
            note: $note,
        }),*];

        pub(super) mod thunks {
            use super::*;
            $(fast_name! { $class $name
                pub(in crate::shim) extern "C" fn $name(
                    a: usize, b: usize, c: usize, d: usize, e: usize, f: usize,
                ) -> isize {
                    let args = [a, b, c, d, e, f];
                    events::around(nr::$number, args, || {
                        profile::around(nr::$number, None, || encode($handler.call(args)))
                    })
                }
            })*
        }

        mod short_cuts {
            use super::*;
            $(short_cut! { $class $number $name $($fast)? })*
        }

        /// The calls that have a fast way in, by number.
        pub static FAST: [Option<SixArgs>; LIMIT] = {
            let mut table: [Option<SixArgs>; LIMIT] = [None; LIMIT];
            $(fast_entry! { table $number $class $name })*
            table
        };

        const _: () = { $(assert!(arity(&$handler) == $arity, stringify!($name));)* };

        /// The thunks, by number.
        pub const fn entries() -> [Entry; LIMIT] {
            let mut table: [Entry; LIMIT] = [unknown; LIMIT];
            $(
                // SAFETY: a function of six register arguments may be called with a seventh on
                // the stack; the caller of the C ABI owns and removes it.
                table[nr::$number as usize] = unsafe { core::mem::transmute::<SixArgs, Entry>(thunks::$name) };
            )*
            table
        }

        /// Calls `number` through the table at compile time when it is a constant: the direct door.
        #[inline(always)]
        pub fn direct(number: u32, args: [usize; 6]) -> isize {
            match number {
                $(nr::$number => {
                    if !matches!(Class::$class, Class::Fast) {
                        crate::mm::space::prepare_stack();
                    }
                    events::around(number, args, || {
                        profile::around(number, Some(Door::Direct), || {
                            encode($handler.call(args).map_err(Errno::without_restart))
                        })
                    })
                })*
                _ => encode(Err(Errno::ENOSYS)),
            }
        }
    };
}

pub(super) use {fast_entry, fast_name, short_cut, syscalls};
