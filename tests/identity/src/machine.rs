//! The machine and its random numbers.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use test_support::{call, checked, report};

/// Names, memory and load.
pub fn run() -> io::Result<()> {
    let mut names = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the result goes to a buffer of its size.
    checked(unsafe { libc::uname(names.as_mut_ptr()) })?;
    // SAFETY: zero is valid for every field, and the call has filled them.
    let names = unsafe { names.assume_init() };
    println!("system {:?}", text(&names.sysname));
    println!("machine {:?}", text(&names.machine));
    println!(
        "a release with two dots {}",
        text(&names.release).split('.').count() >= 3
    );
    println!("a version {}", !text(&names.version).is_empty());
    println!("a node name {}", !text(&names.nodename).is_empty());

    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the result goes to a buffer of its size.
    checked(unsafe { libc::sysinfo(info.as_mut_ptr()) })?;
    // SAFETY: zero is valid for every field, and the call has filled them.
    let info = unsafe { info.assume_init() };
    let unit = u64::from(info.mem_unit);
    println!("unit of memory {}", unit.is_power_of_two());
    println!("at least 16 MiB {}", info.totalram * unit >= 16 << 20);
    println!(
        "some of them free {}",
        info.freeram > 0 && info.freeram <= info.totalram
    );
    println!("uptime {}", info.uptime >= 0);
    println!("at least one process {}", info.procs >= 1);
    Ok(())
}

fn text(field: &[libc::c_char]) -> String {
    // SAFETY: the kernel ends every field of `utsname` with a NUL.
    unsafe { CStr::from_ptr(field.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}

/// Random numbers: different every time, and every flag there is.
pub fn random() -> io::Result<()> {
    let (mut first, mut second) = ([0_u8; 256], [0_u8; 256]);
    let draw = |bytes: &mut [u8], flags: u32| {
        let args = [
            bytes.as_mut_ptr() as u64,
            bytes.len() as u64,
            u64::from(flags),
        ];
        call(libc::SYS_getrandom, &args)
    };
    report("draw", draw(&mut first, 0));
    report("not blocking", draw(&mut second, libc::GRND_NONBLOCK));
    println!("two draws differ {}", first != second);
    let zeros = first.iter().filter(|&&byte| byte == 0).count();
    println!("few zeros {}", zeros < 32);
    report("random", draw(&mut second, libc::GRND_RANDOM));
    report("insecure", draw(&mut second, libc::GRND_INSECURE));
    report(
        "random and insecure",
        draw(&mut second, libc::GRND_RANDOM | libc::GRND_INSECURE),
    );
    report("no such flag", draw(&mut second, 1 << 10));
    report("nothing", draw(&mut [], 0));
    let mut large = vec![0_u8; 1 << 20];
    report("a mebibyte", draw(&mut large, 0));
    println!(
        "filled to its end {}",
        large[large.len() - 64..].iter().any(|&byte| byte != 0)
    );
    Ok(())
}
