//! Unix sockets: an echo server by name, pairs, datagrams, pipes.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixDatagram, UnixListener, UnixStream, unix::pipe};

/// Exercises each of them.
///
/// # Errors
/// Those of the sockets.
pub async fn run() -> io::Result<()> {
    echo().await?;
    pair().await?;
    datagrams().await?;
    pipes().await
}

async fn echo() -> io::Result<()> {
    let path = "echo.socket";
    let listener = UnixListener::bind(path)?;
    let server = tokio::spawn(async move {
        for _ in 0..20 {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream));
        }
        io::Result::Ok(())
    });
    let clients: Vec<_> = (0..20)
        .map(|number| {
            tokio::spawn(async move {
                let mut stream = UnixStream::connect(path).await?;
                let mut line = String::new();
                let text = format!("hello from {number}\n");
                for _ in 0..10 {
                    stream.write_all(text.as_bytes()).await?;
                    line.clear();
                    BufReader::new(&mut stream).read_line(&mut line).await?;
                }
                io::Result::Ok(line == text.to_uppercase())
            })
        })
        .collect();
    let mut right = 0;
    for client in clients {
        right += usize::from(client.await??);
    }
    server.await??;
    println!("echo: {right} of 20");
    std::fs::remove_file(path)
}

async fn serve(mut stream: UnixStream) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        buffer[..count].make_ascii_uppercase();
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn pair() -> io::Result<()> {
    let (mut near, mut far) = UnixStream::pair()?;
    let sender = tokio::spawn(async move {
        let block: Vec<u8> = (0..1 << 20).map(|n: u32| (n * 7) as u8).collect();
        near.write_all(&block).await?;
        near.shutdown().await?;
        io::Result::Ok(near)
    });
    let mut all = Vec::new();
    far.read_to_end(&mut all).await?;
    let right = all
        .iter()
        .zip(0_u32..)
        .all(|(&byte, n)| byte == (n * 7) as u8);
    println!("pair: {} bytes, right {right}", all.len());
    drop(sender.await??);
    Ok(())
}

async fn datagrams() -> io::Result<()> {
    let (near, far) = UnixDatagram::pair()?;
    for size in [1, 100, 5000] {
        near.send(&vec![7; size]).await?;
    }
    let mut buffer = [0; 8192];
    for _ in 0..3 {
        println!("datagram: {}", far.recv(&mut buffer).await?);
    }
    Ok(())
}

async fn pipes() -> io::Result<()> {
    let (mut sender, mut receiver) = pipe::pipe()?;
    let writer = tokio::spawn(async move { sender.write_all(&[9; 200_000]).await });
    let mut all = Vec::new();
    receiver.read_to_end(&mut all).await?;
    writer.await??;
    println!("pipe: {} bytes", all.len());
    Ok(())
}
