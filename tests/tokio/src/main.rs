//! tokio, unmodified: timers, channels, Unix sockets, files, many tasks, signals.
//!
//! The first argument names the runtime, `current` or `multi` (four workers); the others name
//! sections: `timers channels unix files tasks blocking signal`. Without one, all are run.

mod channels;
mod files;
mod sockets;
mod tasks;

use lintel as _;

use std::io;
use tokio::runtime::{Builder, Runtime};

fn runtime(name: &str) -> io::Result<Runtime> {
    match name {
        "current" => Builder::new_current_thread().enable_all().build(),
        "multi" => Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build(),
        _ => Err(io::Error::other(
            "usage: test-tokio current|multi [SECTION …]",
        )),
    }
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = words.first().map_or("multi", String::as_str);
    let runtime = runtime(name)?;
    let wanted = |section: &str| words.len() < 2 || words[1..].iter().any(|w| w == section);
    runtime.block_on(async {
        if wanted("timers") {
            println!("[timers]");
            tasks::timers().await;
        }
        if wanted("channels") {
            println!("[channels]");
            channels::run().await;
        }
        if wanted("unix") {
            println!("[unix]");
            sockets::run().await?;
        }
        if wanted("files") {
            println!("[files]");
            files::run().await?;
        }
        if wanted("tasks") {
            println!("[tasks]");
            tasks::many().await;
        }
        if wanted("blocking") {
            println!("[blocking]");
            tasks::blocking().await;
        }
        if wanted("signal") {
            println!("[signal]");
            tasks::signal().await?;
        }
        Ok(())
    })
}
