//! What system calls do with pointers that lead nowhere.
//!
//! Linux answers EFAULT, or the number of bytes that it could still copy, or does not look at the
//! pointer at all; it never dies, and neither may the kernel in the VM. Every line of the report
//! is a call, a kind of bad address, and what came back. It runs in its directory `root` (in the
//! VM: with that directory as the root file system) and leaves nothing behind.

mod directories;
mod each;
mod files;
mod paths;
mod places;
mod process;
mod signals;
mod time;

use lintel as _;

use places::Places;
use std::io;

fn main() -> io::Result<()> {
    let places = Places::map()?;
    files::run(&places)?;
    paths::run(&places);
    directories::run(&places)?;
    time::run(&places);
    signals::run(&places);
    process::run(&places);
    Ok(())
}
