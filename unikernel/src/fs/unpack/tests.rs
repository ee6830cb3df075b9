//! Tests of the unpacking.

use super::*;
use crate::fs::device::Device;
use crate::fs::file::device;
use crate::fs::mount::boot;
use crate::fs::testing::Packer;

fn mount(image: &'static [u8]) -> Result<Vfs, Error> {
    let mut vfs = Vfs::new();
    boot(&mut vfs, Some(image))?;
    Ok(vfs)
}

fn find(vfs: &mut Vfs, path: &str) -> Option<Ref<Inode>> {
    let mut buffer = PathBuf::new();
    let path = buffer.copy(path.as_bytes()).ok()?;
    let found = walk(vfs, vfs.root, path, Goal::NoFollow).ok()?.found?;
    vfs.inode(found).ok().cloned()
}

fn content(vfs: &mut Vfs, path: &str) -> Vec<u8> {
    let inode = find(vfs, path).expect(path);
    let store = inode.store().expect(path).lock();
    let mut bytes = vec![0; store.size() as usize];
    assert_eq!(store.read_bytes(0, &mut bytes), bytes.len());
    bytes
}

fn refusal(packer: Packer) -> Error {
    mount(packer.leak()).unwrap_err()
}

#[test]
fn names_are_found_however_they_were_written() {
    let packer = Packer::default()
        .dir(".")
        .file("./a", b"1")
        .file("/b", b"2")
        .file("c//d/", b"3");
    let mut vfs = mount(packer.leak()).unwrap();
    assert_eq!(
        [
            content(&mut vfs, "a"),
            content(&mut vfs, "b"),
            content(&mut vfs, "c/d")
        ],
        [b"1", b"2", b"3"]
    );
    let root = vfs.inode(vfs.root).unwrap();
    assert_eq!(root.mtime.get(), (1_700_000_000, 0));
}

#[test]
fn missing_parents_are_made_and_described_later() {
    let packer = Packer::default()
        .file("x/y/z", b"deep")
        .entry(0o040_700, "x/y", b"");
    let mut vfs = mount(packer.leak()).unwrap();
    assert_eq!(content(&mut vfs, "x/y/z"), b"deep");
    let modes = ["x", "x/y"].map(|path| find(&mut vfs, path).unwrap().mode());
    assert_eq!(modes, [0o040_755, 0o040_700]);
}

#[test]
fn later_entries_replace_earlier_ones() {
    let packer = Packer::default()
        .file("f", b"old")
        .link("l", "f")
        .file("f", b"new")
        .file("l", b"x");
    let mut image = packer.end().0;
    image.extend(
        Packer::default()
            .file("g", b"1")
            .file("f", b"newest")
            .end()
            .0,
    );
    let mut vfs = mount(image.leak()).unwrap();
    assert_eq!(
        [
            content(&mut vfs, "f"),
            content(&mut vfs, "l"),
            content(&mut vfs, "g")
        ]
        .concat(),
        b"newestx1"
    );
    assert_eq!(find(&mut vfs, "f").unwrap().nlink(), 1);
}

#[test]
fn hard_links_share_content_that_comes_last() {
    let first = Packer::default()
        .hard(7, "a", b"")
        .hard(8, "other", b"o")
        .hard(7, "b", b"data");
    let mut image = first.end().0;
    image.extend(Packer::default().hard(7, "c", b"elsewhere").end().0);
    let mut vfs = mount(image.leak()).unwrap();
    assert_eq!(
        [content(&mut vfs, "a"), content(&mut vfs, "b")],
        [b"data", b"data"]
    );
    assert_eq!(
        (content(&mut vfs, "other"), content(&mut vfs, "c")),
        (b"o".to_vec(), b"elsewhere".to_vec())
    );
    let (a, b) = (find(&mut vfs, "a").unwrap(), find(&mut vfs, "b").unwrap());
    assert!(Ref::same(&a, &b));
    assert_eq!(a.nlink(), 2);
}

#[test]
fn parents_may_be_links_to_directories() {
    let packer = Packer::default()
        .dir("usr/lib")
        .link("lib", "usr/lib")
        .file("lib/x", b"here");
    let mut vfs = mount(packer.leak()).unwrap();
    assert_eq!(content(&mut vfs, "usr/lib/x"), b"here");
}

#[test]
fn the_archive_may_bring_its_own_devices() {
    let null = [1, 0o020_600, 0, 0, 1, 0, 0, 0, 0, 1, 3, 9];
    let disk = [2, 0o060_600, 0, 0, 1, 0, 0, 0, 0, 8, 0, 4];
    let packer = Packer::default()
        .raw(null, b"dev/null", b"")
        .raw(disk, b"sda", b"");
    let mut vfs = mount(packer.leak()).unwrap();
    let null = find(&mut vfs, "/dev/null").unwrap();
    assert_eq!(
        (null.mode(), device(&null)),
        (0o020_600, Some(Device::Null))
    );
    let disk = find(&mut vfs, "/sda").unwrap();
    let wanted = (0o060_600, Some(Device::Other(8, 0)));
    assert_eq!((disk.mode(), device(&disk)), wanted);
    assert!(find(&mut vfs, "/dev/zero").is_some());
    let mut odd = mount(Packer::default().file("dev", b"").leak()).unwrap();
    assert!(find(&mut odd, "/dev/zero").is_none());
}

#[test]
fn entries_without_a_place_are_refused_with_their_offset() {
    let nested = Packer::default().file("f", b"").file("f/x", b"");
    assert_eq!(refusal(nested), Error::Entry(112, Errno::ENOTDIR));
    let over = Packer::default().dir("d").file("d", b"");
    assert_eq!(refusal(over), Error::Entry(112, Errno::EISDIR));
    let long = Packer::default().file(&"n".repeat(256), b"");
    assert_eq!(refusal(long), Error::Entry(0, Errno::ENAMETOOLONG));
    let circle = Packer::default().link("l", "l").file("l/x", b"");
    assert_eq!(
        refusal(circle).to_string(),
        "the entry at byte 0x74 cannot be unpacked: \
        its parent is a loop of links"
    );
    let error = mount(b"\xfd7zXZ\0").unwrap_err();
    assert_eq!(
        error.to_string(),
        "compressed initrd: decompress it, or use gzip (xz at byte 0x0)"
    );
    let error = mount(b"\x1f\x8b\x08").unwrap_err();
    assert_eq!(error.to_string(), "byte 0x3: the gzip data is cut off here");
}

#[test]
#[cfg_attr(miri, ignore = "measures time")]
fn large_archives_unpack_in_linear_time() {
    let mut packer = Packer::default();
    for index in 0..100_000 {
        packer = packer.file(&format!("dir{}/file{index}", index / 100), b"content");
    }
    let image = packer.leak();
    let start = std::time::Instant::now();
    let mut vfs = mount(image).unwrap();
    // Generous, for a loaded machine and an unoptimised build: 50 µs an entry.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert_eq!(content(&mut vfs, "dir999/file99999"), b"content");
}

fn zipped(content: &[u8]) -> Vec<u8> {
    crate::fs::gzip::tests::pack(content, 0)
}

#[test]
fn compressed_archives_are_unpacked() {
    let archive = Packer::default()
        .file("a/b", b"deep")
        .hard(7, "one", b"")
        .end()
        .0;
    let mut vfs = mount(zipped(&archive).leak()).unwrap();
    assert_eq!(content(&mut vfs, "a/b"), b"deep");
    assert!(!vfs.borrows_image);
    // A plain one first, as for early firmware, two compressed ones, padding, and a plain one.
    let mut image = Packer::default()
        .file("plain", b"1")
        .hard(7, "two", b"2")
        .end()
        .0;
    image.extend(zipped(&archive));
    let double = [
        archive.clone(),
        Packer::default().file("plain", b"3").end().0,
    ]
    .concat();
    image.extend(zipped(&double));
    image.resize(image.len().next_multiple_of(512), 0);
    image.extend(Packer::default().file("last", b"4").end().0);
    let mut vfs = mount(image.leak()).unwrap();
    let contents = ["a/b", "plain", "last", "two"].map(|path| content(&mut vfs, path));
    assert_eq!(contents, [&b"deep"[..], b"3", b"4", b"2"]);
    assert!(vfs.borrows_image);
    // The same inode number in another archive is another file.
    let links = ["one", "two"].map(|path| find(&mut vfs, path).unwrap().nlink());
    assert_eq!(links, [1, 1]);
}

#[test]
fn faults_inside_compressed_archives_say_so() {
    let mut archive = Packer::default().file("a", b"x").end().0;
    archive[6] = b'g';
    let mut image = Packer::default().file("plain", b"1").end().0;
    let start = image.len();
    image.extend(zipped(&archive));
    let error = mount(image.clone().leak()).unwrap_err();
    let text = error.to_string();
    let wanted = format!("inside the gzip data at byte {start:#x}: byte 0x6: hex digit expected");
    assert!(text.starts_with(&wanted), "{text}");
    let blocked = Packer::default().file("a", b"").file("a/b", b"").end().0;
    let error = mount(zipped(&blocked).leak()).unwrap_err();
    assert!(matches!(error, Error::InsideEntry(0, _, Errno::ENOTDIR)));
    assert!(error.to_string().contains("its parent is not a directory"));
    let twice = zipped(&zipped(b""));
    let error = mount(twice.leak()).unwrap_err();
    assert!(error.to_string().ends_with("(gzip at byte 0x0)"));
    image.truncate(image.len() - 1);
    let end = image.len();
    let error = mount(image.leak()).unwrap_err();
    assert!(matches!(error, Error::Gzip(error) if error.offset == end));
}

#[test]
fn nothing_compressed_follows_an_unfinished_archive() {
    let mut image = Packer::default().file("a", b"x").0;
    image.extend(zipped(b""));
    let error = mount(image.leak()).unwrap_err();
    assert!(matches!(
        error,
        Error::Archive(cpio::Error {
            fault: Fault::BadMagic,
            ..
        })
    ));
}
