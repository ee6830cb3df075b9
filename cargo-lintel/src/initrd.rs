//! Packs a directory into the cpio archive ("newc") that becomes the root file system.
//!
//! The order is fixed (every directory before its contents, names in byte order), owners are
//! root's, inode numbers count up: the same tree gives the same bytes.

use crate::failure;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The file that carries a redirected standard input; the kernel opens it as fd 0 and unlinks it.
const STDIN: &str = ".lintel-stdin";
/// Show progress from this many bytes on.
const LARGE: u64 = 64 << 20;

/// Packs `root` (or nothing) and the rest of `stdin` (if given) into a temporary file.
pub fn pack(root: Option<&Path>, stdin: Option<File>, quiet: bool) -> Result<NamedTempFile> {
    let entries = match root {
        Some(root) => collect(root)?,
        None => Vec::new(),
    };
    if stdin.is_some() && entries.iter().any(|entry| entry.name == Path::new(STDIN)) {
        let root = root.unwrap_or(Path::new("/")).display();
        return Err(failure::user(format!(
            "{root} contains {STDIN}, a name that Lintel needs for a redirected standard input"
        )));
    }
    let file = tempfile::Builder::new()
        .prefix("lintel-")
        .suffix(".cpio")
        .tempfile()?;
    let mut archive = Archive::new(file.as_file());
    let total = entries.iter().map(|entry| entry.metadata.len()).sum();
    let progress = progress(total, quiet);
    for entry in &entries {
        archive
            .add(entry)
            .with_context(|| format!("cannot pack {}", entry.source.display()))?;
        progress.inc(entry.metadata.len());
    }
    progress.finish_and_clear();
    if let Some(stdin) = stdin {
        add_stdin(&mut archive, stdin).context("cannot pack standard input")?;
    }
    archive
        .finish()
        .context("cannot write the root file system")?;
    Ok(file)
}

fn progress(total: u64, quiet: bool) -> ProgressBar {
    if quiet || total < LARGE {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("lintel: packing {bytes}/{total_bytes} {wide_bar}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A file of the tree.
struct Entry {
    /// Its path inside the archive.
    name: PathBuf,
    source: PathBuf,
    metadata: Metadata,
}

/// Lists the tree, the root itself first (as `.`).
fn collect(root: &Path) -> Result<Vec<Entry>> {
    let metadata = root
        .metadata()
        .map_err(|error| failure::user(format!("{}: {error}", root.display())))?;
    if !metadata.is_dir() {
        return Err(failure::user(format!(
            "{} is not a directory",
            root.display()
        )));
    }
    let mut entries = vec![Entry {
        name: ".".into(),
        source: root.to_path_buf(),
        metadata,
    }];
    collect_directory(root, Path::new(""), &mut entries)?;
    Ok(entries)
}

fn collect_directory(directory: &Path, name: &Path, entries: &mut Vec<Entry>) -> Result<()> {
    let list = directory
        .read_dir()
        .with_context(|| format!("cannot read the directory {}", directory.display()))?;
    let mut paths = list
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for source in paths {
        let metadata = source
            .symlink_metadata()
            .with_context(|| format!("cannot look at {}", source.display()))?;
        let name = name.join(source.file_name().unwrap_or_default());
        let kind = metadata.file_type();
        if !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
            eprintln!(
                "lintel: warning: {} is not packed: it is special",
                source.display()
            );
            continue;
        }
        entries.push(Entry {
            name: name.clone(),
            source: source.clone(),
            metadata,
        });
        if kind.is_dir() {
            collect_directory(&source, &name, entries)?;
        }
    }
    Ok(())
}

fn add_stdin(archive: &mut Archive<impl Write>, mut stdin: File) -> Result<()> {
    let metadata = stdin.metadata()?;
    let size = metadata.len().saturating_sub(stdin.stream_position()?);
    let head = Head {
        mode: metadata.mode(),
        mtime: metadata.mtime(),
        size,
        links: 1,
    };
    archive.put(STDIN.as_bytes(), &head, &mut stdin)
}

/// What the archive says about a file.
struct Head {
    mode: u32,
    /// Seconds since 1970.
    mtime: i64,
    size: u64,
    links: u32,
}

/// A cpio archive that is being written.
struct Archive<W: Write> {
    out: BufWriter<W>,
    inode: u32,
}

impl<W: Write> Archive<W> {
    fn new(out: W) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 18, out),
            inode: 0,
        }
    }

    fn add(&mut self, entry: &Entry) -> Result<()> {
        let metadata = &entry.metadata;
        let mut head = Head {
            mode: metadata.mode(),
            mtime: metadata.mtime(),
            size: 0,
            links: 1,
        };
        let name = entry.name.as_os_str().as_bytes();
        if metadata.is_dir() {
            head.links = 2;
            return self.put(name, &head, &mut io::empty());
        }
        if metadata.is_symlink() {
            let to = entry.source.read_link()?;
            let to = to.as_os_str().as_bytes();
            head.size = to.len() as u64;
            return self.put(name, &head, &mut &*to);
        }
        head.size = metadata.len();
        self.put(name, &head, &mut File::open(&entry.source)?)
    }

    /// Writes one member; `content` is cut or filled with zeros to the size in `head`, because a
    /// file may change while we read it.
    fn put(&mut self, name: &[u8], head: &Head, content: &mut impl Read) -> Result<()> {
        let size = u32::try_from(head.size)
            .map_err(|_| failure::user("a file of 4 GiB or more does not fit into the archive"))?;
        self.inode += 1;
        let mtime = u32::try_from(head.mtime.max(0)).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len() + 1).context("the name is too long")?;
        // inode, mode, uid, gid, links, mtime, size, device, special device, name, checksum
        let fields = [
            self.inode, head.mode, 0, 0, head.links, mtime, size, 0, 0, 0, 0, name_size, 0,
        ];
        self.out.write_all(b"070701")?;
        for field in fields {
            write!(self.out, "{field:08X}")?;
        }
        self.out.write_all(name)?;
        self.fill(1 + padding(110 + u64::from(name_size)))?;
        let copied = io::copy(&mut content.take(head.size), &mut self.out)?;
        self.fill(head.size - copied + padding(head.size))
    }

    fn fill(&mut self, zeros: u64) -> Result<()> {
        io::copy(&mut io::repeat(0).take(zeros), &mut self.out)?;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.inode = 0;
        let head = Head {
            mode: 0,
            mtime: 0,
            size: 0,
            links: 1,
        };
        self.put(b"TRAILER!!!", &head, &mut io::empty())?;
        self.out.flush()?;
        Ok(())
    }
}

/// Bytes from `position` to the next multiple of four.
fn padding(position: u64) -> u64 {
    position.wrapping_neg() % 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A member as a reader sees it: name, mode, mtime, content.
    type Member = (String, u32, u32, Vec<u8>);

    fn read(mut bytes: &[u8]) -> Vec<Member> {
        let mut members = Vec::new();
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[6 + 8 * n..14 + 8 * n]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, mtime, size) = (field(1), field(5), field(6) as usize);
            let name_end = 110 + field(11) as usize;
            let name = String::from_utf8(bytes[110..name_end - 1].to_vec()).unwrap();
            assert_eq!(bytes[name_end - 1], 0);
            if name == "TRAILER!!!" {
                return members;
            }
            let start = name_end.next_multiple_of(4);
            members.push((name, mode, mtime, bytes[start..start + size].to_vec()));
            bytes = &bytes[(start + size).next_multiple_of(4)..];
        }
    }

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("b/inner")).unwrap();
        std::fs::write(at("b/inner/x"), "12345").unwrap();
        std::fs::write(at("a"), "").unwrap();
        std::fs::write(at("c"), [0, 255, 10]).unwrap();
        std::fs::set_permissions(at("c"), std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("b/inner/x", at("link")).unwrap();
        root
    }

    fn packed(root: &Path) -> Vec<u8> {
        std::fs::read(pack(Some(root), None, true).unwrap().path()).unwrap()
    }

    #[test]
    fn a_tree_round_trips() {
        let root = tree();
        let members = read(&packed(root.path()));
        let names: Vec<_> = members.iter().map(|member| member.0.as_str()).collect();
        assert_eq!(names, [".", "a", "b", "b/inner", "b/inner/x", "c", "link"]);
        let member = |name: &str| members.iter().find(|member| member.0 == name).unwrap();
        assert_eq!(member("b/inner/x").3, b"12345");
        assert_eq!(
            (member("c").1, member("c").3.as_slice()),
            (0o100_640, &[0, 255, 10][..])
        );
        assert_eq!(
            (member("link").1 >> 12, member("link").3.as_slice()),
            (0o12, &b"b/inner/x"[..])
        );
        assert_eq!(member("b").1 >> 12, 0o4);
        let mtime = root.path().join("a").metadata().unwrap().mtime();
        assert_eq!(i64::from(member("a").2), mtime);
        assert_eq!(packed(root.path()), packed(root.path()));
    }

    #[test]
    fn sockets_are_left_out() {
        let root = tree();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("sock")).unwrap();
        assert!(
            read(&packed(root.path()))
                .iter()
                .all(|member| member.0 != "sock")
        );
    }

    #[test]
    fn standard_input_starts_at_its_offset() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "skipped rest").unwrap();
        let mut stdin = File::open(file.path()).unwrap();
        stdin.seek(io::SeekFrom::Start(8)).unwrap();
        let archive = pack(None, Some(stdin), true).unwrap();
        let members = read(&std::fs::read(archive.path()).unwrap());
        assert_eq!(
            (members[0].0.as_str(), members[0].3.as_slice()),
            (STDIN, &b"rest"[..])
        );
    }

    #[test]
    fn mistakes_are_named() {
        let root = tree();
        std::fs::write(root.path().join(STDIN), "").unwrap();
        let stdin = File::open(root.path().join("c")).unwrap();
        assert!(pack(Some(root.path()), Some(stdin), true).is_err());
        assert!(pack(Some(&root.path().join("a")), None, true).is_err());
        assert!(pack(Some(Path::new("/nonexistent")), None, true).is_err());
    }

    #[test]
    fn cpio_reads_it() {
        let root = tree();
        let archive = pack(Some(root.path()), None, true).unwrap();
        let mut cpio = std::process::Command::new("cpio");
        cpio.arg("-t").stdin(File::open(archive.path()).unwrap());
        let Ok(output) = cpio.output() else { return };
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, ".\na\nb\nb/inner\nb/inner/x\nc\nlink\n");
    }
}
