//! Files, through tokio's pool of blocking threads.

use std::io;
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// Writes, reads, lists, removes.
///
/// # Errors
/// Those of the files.
pub async fn run() -> io::Result<()> {
    fs::create_dir("tokio-files").await?;
    let writers: Vec<_> = (0..30)
        .map(|number| {
            tokio::spawn(async move {
                let name = format!("tokio-files/{number}");
                fs::write(name, vec![number as u8; number * 100]).await
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let (mut entries, mut count, mut bytes) = (fs::read_dir("tokio-files").await?, 0, 0);
    while let Some(entry) = entries.next_entry().await? {
        count += 1;
        bytes += entry.metadata().await?.len();
    }
    println!("files: {count}, {bytes} bytes");
    let mut file = fs::File::create_new("tokio-files/new").await?;
    file.write_all(b"one two three").await?;
    file.sync_all().await?;
    let mut file = fs::File::open("tokio-files/new").await?;
    file.seek(io::SeekFrom::Start(4)).await?;
    let mut rest = String::new();
    file.read_to_string(&mut rest).await?;
    println!("rest: {rest}");
    fs::remove_dir_all("tokio-files").await?;
    let gone = fs::metadata("tokio-files")
        .await
        .map_err(|error| error.kind());
    println!("gone: {:?}", gone.err());
    Ok(())
}
