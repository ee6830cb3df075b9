//! Descriptors and credentials that go along.

use crate::sys::{Answer, pair, receive, send, set_option};
use libc::{
    SCM_CREDENTIALS, SCM_RIGHTS, SO_PASSCRED, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET,
};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Room for control messages, aligned.
type Room = [u64; 64];

fn send_control(fd: &OwnedFd, bytes: &[u8], kind: i32, data: &[i32]) -> Answer {
    let mut room: Room = [0; 64];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a header is integers and pointers.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = room.as_mut_ptr().cast();
    let len = (4 * data.len()) as u32;
    // SAFETY: the room is larger than what is put into it, and all pointers lead to what lives.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(len) as usize;
        let control = libc::CMSG_FIRSTHDR(&raw const header);
        (*control).cmsg_level = SOL_SOCKET;
        (*control).cmsg_type = kind;
        (*control).cmsg_len = libc::CMSG_LEN(len) as usize;
        let to = libc::CMSG_DATA(control).cast::<i32>();
        data.iter()
            .enumerate()
            .for_each(|(index, &word)| to.add(index).write(word));
        Answer::of(libc::sendmsg(fd.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) as i64)
    }
}

/// What came: the result, flags, and the words of each control message.
fn receive_control(fd: &OwnedFd, most: usize, space: usize) -> (String, Vec<(i32, Vec<i32>)>) {
    let (mut bytes, mut room): (Vec<u8>, Room) = (vec![0; most], [0; 64]);
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: most,
    };
    // SAFETY: as above.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = room.as_mut_ptr().cast();
    header.msg_controllen = space;
    let mut all = Vec::new();
    // SAFETY: the header names room that is there; what comes back is walked as cmsg(3) says.
    let answer = unsafe {
        let answer = Answer::of(libc::recvmsg(fd.as_raw_fd(), &raw mut header, 0) as i64);
        let mut control = libc::CMSG_FIRSTHDR(&raw const header);
        while let Some(message) = control.as_ref() {
            let count = (message.cmsg_len - libc::CMSG_LEN(0) as usize) / 4;
            let data = libc::CMSG_DATA(control).cast::<i32>();
            let words = (0..count).map(|index| data.add(index).read()).collect();
            all.push((message.cmsg_type, words));
            control = libc::CMSG_NXTHDR(&raw const header, control);
        }
        answer
    };
    (format!("{answer} flags {:#x}", header.msg_flags), all)
}

fn opened(all: &[(i32, Vec<i32>)]) -> Vec<File> {
    let fds = all
        .iter()
        .filter(|one| one.0 == SCM_RIGHTS)
        .flat_map(|one| &one.1);
    // SAFETY: they have just come, for nobody else.
    fds.map(|&fd| unsafe { File::from_raw_fd(fd) }).collect()
}

/// Open files go over, with the first bytes they were sent with.
pub fn files() -> io::Result<()> {
    let [near, far] = pair(SOCK_STREAM | SOCK_NONBLOCK);
    let mut file = File::create("sent.txt")?;
    file.write_all(b"what is in it")?;
    let reader = File::open("sent.txt")?;
    send(&near, b"before");
    let fds = [reader.as_raw_fd(), file.as_raw_fd()];
    println!("{}", send_control(&near, b"with", SCM_RIGHTS, &fds));
    send(&near, b"after");
    drop(reader);
    let (answer, all) = receive_control(&far, 100, 512);
    println!("{answer} {} {}", all.len(), all[0].1.len());
    let mut files = opened(&all);
    let mut text = String::new();
    files[0].read_to_string(&mut text)?;
    // It is the same open file: the position is shared.
    println!(
        "{text} {} {}",
        file.stream_position()?,
        files[1].stream_position()?
    );
    println!("{}", receive(&far, 100, 0));
    println!("bad {}", send_control(&near, b"x", SCM_RIGHTS, &[999]));
    println!("kind {}", send_control(&near, b"x", 77, &[0]));
    // Nobody receives them: they are closed.
    println!(
        "{}",
        send_control(&near, b"lost", SCM_RIGHTS, &[file.as_raw_fd()])
    );
    println!("plain {}", receive(&far, 100, 0));
    // A socket in itself.
    let [one, other] = pair(SOCK_STREAM | SOCK_NONBLOCK);
    println!(
        "{}",
        send_control(&one, b"x", SCM_RIGHTS, &[near.as_raw_fd()])
    );
    drop(near);
    println!("open {}", receive(&far, 9, 0));
    drop((one, other));
    println!("closed {}", receive(&far, 9, 0));
    std::fs::remove_file("sent.txt")
}

/// Who sent it.
pub fn credentials() -> io::Result<()> {
    let [near, far] = pair(SOCK_DGRAM | SOCK_NONBLOCK);
    println!("{} {}", send(&near, b"x"), set_option(&far, SO_PASSCRED, 1));
    let me = std::process::id() as i32;
    // SAFETY: no arguments.
    let (uid, gid) = unsafe { (libc::getuid() as i32, libc::getgid() as i32) };
    let show = |(answer, all): (String, Vec<(i32, Vec<i32>)>)| {
        let right = all
            .iter()
            .all(|one| one.0 == SCM_CREDENTIALS && one.1 == [me, uid, gid]);
        println!("{answer} {} right {right}", all.len());
    };
    show(receive_control(&far, 9, 512));
    send(&near, b"y");
    show(receive_control(&far, 9, 512));
    println!(
        "{}",
        send_control(&near, b"z", SCM_CREDENTIALS, &[me, uid, gid])
    );
    show(receive_control(&far, 9, 512));
    println!(
        "short {}",
        send_control(&near, b"z", SCM_CREDENTIALS, &[me, uid])
    );
    Ok(())
}

/// Too little room.
pub fn truncated() -> io::Result<()> {
    let [near, far] = pair(SOCK_DGRAM | SOCK_NONBLOCK);
    let fd = far.as_raw_fd();
    for space in [0, 8, 16, 20, 24, 32] {
        send_control(&near, b"abc", SCM_RIGHTS, &[fd, fd, fd]);
        let (answer, all) = receive_control(&far, 2, space);
        println!("{space}: {answer} {}", opened(&all).len());
    }
    Ok(())
}
