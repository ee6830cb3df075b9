//! The vDSO, read as a C library reads it: by its program headers, dynamic section, hash table and
//! symbol versions (elf(5), vdso(7)).

use std::ffi::CStr;
use std::io;
use std::mem::transmute;
use test_support::report;

/// A place in the image of which words are read.
#[derive(Clone, Copy)]
struct At(usize);

impl At {
    fn read<T: Copy>(self, offset: usize) -> T {
        // SAFETY: the image is mapped for good, and the offsets are those of the ELF structures that
        // its headers say are there.
        unsafe { ((self.0 + offset) as *const T).read_unaligned() }
    }

    fn text(self) -> &'static str {
        // SAFETY: as above: a string of the image's string table.
        let text = unsafe { CStr::from_ptr(self.0 as *const _) };
        text.to_str().unwrap_or("?")
    }
}

/// What the dynamic section leads to.
struct Image {
    bias: usize,
    dynamic: At,
}

impl Image {
    fn open() -> Option<Self> {
        // SAFETY: the function has no preconditions.
        let start = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
        let header = At(start);
        if start == 0 || header.read::<[u8; 4]>(0) != *b"\x7fELF" {
            return None;
        }
        println!(
            "kind {} machine {}",
            header.read::<u16>(16),
            header.read::<u16>(18)
        );
        let table = start + header.read::<u64>(32) as usize;
        let size = usize::from(header.read::<u16>(54));
        let headers = (0..usize::from(header.read::<u16>(56))).map(|n| At(table + n * size));
        let find = |kind| headers.clone().find(|at| at.read::<u32>(0) == kind);
        let load = find(libc::PT_LOAD)?;
        println!("rights {:#x}", load.read::<u32>(4));
        let bias = start + load.read::<u64>(8) as usize - load.read::<u64>(16) as usize;
        let dynamic = At(bias + find(libc::PT_DYNAMIC)?.read::<u64>(16) as usize);
        Some(Self { bias, dynamic })
    }

    /// Where the entry `tag` of the dynamic section leads.
    fn table(&self, tag: u64) -> Option<At> {
        let entries = (0..).map(|n| At(self.dynamic.0 + n * 16));
        let mut entries = entries.take_while(|at| at.read::<u64>(0) != 0);
        let entry = entries.find(|at| at.read::<u64>(0) == tag)?;
        Some(At(self.bias + entry.read::<u64>(8) as usize))
    }

    /// The name of version `index`.
    fn version(&self, index: u16) -> Option<&'static str> {
        let strings = self.table(5)?;
        let mut at = self.table(0x6fff_fffc)?;
        while at.read::<u16>(4) & 0x7fff != index {
            match at.read::<u32>(16) {
                0 => return None,
                next => at = At(at.0 + next as usize),
            }
        }
        let first = At(at.0 + at.read::<u32>(12) as usize);
        Some(At(strings.0 + first.read::<u32>(0) as usize).text())
    }

    /// The address of a function, through the hash table or, where there is only the new kind of that
    /// one, through all symbols before the string table.
    fn symbol(&self, name: &str) -> Option<usize> {
        let (symbols, strings) = (self.table(6)?, self.table(5)?);
        let count = match self.table(4) {
            Some(hash) => hash.read::<u32>(4) as usize,
            None => (strings.0 - symbols.0) / 24,
        };
        let index = (1..count).find(|n| {
            let offset = symbols.read::<u32>(n * 24) as usize;
            At(strings.0 + offset).text() == name
        })?;
        let versions = self.table(0x6fff_fff0)?;
        let version = self.version(versions.read::<u16>(index * 2) & 0x7fff);
        println!("{name} {}", version.unwrap_or("has no version"));
        Some(self.bias + symbols.read::<u64>(index * 24 + 8) as usize)
    }
}

/// Finds all functions, and compares what they say with what the system calls say.
pub fn run() -> io::Result<()> {
    let Some(image) = Image::open() else {
        println!("there is none");
        return Ok(());
    };
    type TwoWords = extern "C" fn(usize, *mut [i64; 2]) -> i32;
    type OfDay = extern "C" fn(*mut [i64; 2], usize) -> i32;
    type CpuOf = extern "C" fn(*mut u32, *mut u32, usize) -> i32;
    type Time = extern "C" fn(*mut i64) -> i64;
    let find = |name| image.symbol(name).ok_or(io::ErrorKind::NotFound);
    // SAFETY: vdso(7) and the man pages of the calls give the types of the functions.
    let (gettime, getres, of_day, time, getcpu) = unsafe {
        (
            transmute::<usize, TwoWords>(find("__vdso_clock_gettime")?),
            transmute::<usize, TwoWords>(find("__vdso_clock_getres")?),
            transmute::<usize, OfDay>(find("__vdso_gettimeofday")?),
            transmute::<usize, Time>(find("__vdso_time")?),
            transmute::<usize, CpuOf>(find("__vdso_getcpu")?),
        )
    };

    let system = |clock: usize| -> io::Result<[i64; 2]> {
        let mut now = [0; 2];
        test_support::call(
            libc::SYS_clock_gettime,
            &[clock as u64, now.as_mut_ptr() as u64],
        )?;
        Ok(now)
    };
    for clock in [0, 1, 4, 7] {
        let (mut now, before) = ([0; 2], system(clock)?);
        let result = gettime(clock, &mut now);
        let between = before <= now && now <= system(clock)?;
        println!("clock {clock} {result} between two calls {between}");
    }
    let mut resolution = [0; 2];
    let result = getres(1, &mut resolution);
    println!("resolution {result} {resolution:?}");
    let (mut now, before) = ([0; 2], system(0)?);
    let result = of_day(&mut now, 0);
    let now = [now[0], now[1] * 1000 + 999];
    println!(
        "of day {result} {}",
        before <= now && now[0] <= system(0)?[0]
    );
    let mut seconds = 0;
    let result = time(&mut seconds);
    // Linux takes this one from the clock of the last tick.
    let near = (seconds - system(0)?[0]).abs() <= 1;
    println!("time {} {near}", result == seconds);
    let (mut cpu, mut node) = (9999, 9999);
    let result = getcpu(&mut cpu, &mut node, 0);
    println!("cpu {result} {} node {node}", cpu < 4096);
    let call = || {
        let result = gettime(99, &mut [0; 2]);
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        Ok(0)
    };
    report("a clock that is none", call());
    Ok(())
}
