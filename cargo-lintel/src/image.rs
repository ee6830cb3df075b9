//! A bootable CD image: GRUB, the ELF as a Multiboot2 kernel, the root file system as a module.

use crate::cmdline::CommandLine;
use crate::runner::install::{self, Tool};
use crate::{failure, initrd};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// The tools that make the image, as the install helper knows them. `grub-mkrescue` finds the
/// others by itself.
const TOOLS: [Tool; 3] = [
    Tool {
        program: "grub-mkrescue",
        data: Some("/usr/lib/grub/i386-pc"),
        packages: &["grub-common", "grub-pc-bin", "xorriso", "mtools"],
        elsewhere: "Fedora: grub2-tools-extra, grub2-pc-modules, xorriso, mtools; Arch: grub, \
                    libisoburn, mtools",
    },
    Tool {
        program: "xorriso",
        data: None,
        packages: &["xorriso"],
        elsewhere: "Fedora: xorriso; Arch: libisoburn",
    },
    Tool {
        program: "mformat",
        data: None,
        packages: &["mtools"],
        elsewhere: "mtools",
    },
];

/// Writes an image to `iso` that boots `elf` with the archive `initrd` and the given command line.
pub fn build(iso: &Path, elf: &Path, initrd: Option<&Path>, line: &CommandLine) -> Result<()> {
    crate::elf::check(elf)?;
    for tool in &TOOLS {
        install::ensure(tool)?;
    }
    let config = grub_config(line, initrd.is_some())?;
    let tree = tempfile::Builder::new().prefix("lintel-iso-").tempdir()?;
    let boot = tree.path().join("boot");
    std::fs::create_dir_all(boot.join("grub"))?;
    std::fs::write(boot.join("grub/grub.cfg"), config)?;
    let program = std::fs::read(elf).context("cannot read the program")?;
    std::fs::write(boot.join("app"), without_sections(program))
        .context("cannot copy the program")?;
    if let Some(initrd) = initrd {
        std::fs::copy(initrd, boot.join("root.cpio"))
            .context("cannot copy the root file system")?;
    }
    let output = Command::new(TOOLS[0].program)
        .args(["-d", "/usr/lib/grub/i386-pc", "-o"])
        .args([iso, tree.path()])
        .stdin(Stdio::null())
        .output()
        .context("cannot start grub-mkrescue")?;
    if output.status.success() && iso.is_file() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(failure::environment(format!(
        "grub-mkrescue failed\n{}",
        message.trim_end()
    )))
}

/// The program with all sections hidden but the empty first one. GRUB refuses an ELF that has a
/// relocation section (a static glibc has one, for its own use), and loads every section that the
/// program does not; neither life needs sections.
fn without_sections(mut elf: Vec<u8>) -> Vec<u8> {
    // e_shnum = 1, e_shstrndx = 0. GRUB 2.12 refuses an ELF without any section.
    elf[60..64].copy_from_slice(&[1, 0, 0, 0]);
    elf
}

/// Packs `root`, then writes the image.
pub fn build_with_root(
    iso: &Path,
    elf: &Path,
    root: Option<&Path>,
    line: &CommandLine,
) -> Result<()> {
    let archive = root
        .map(|root| initrd::pack(Some(root), None, false))
        .transpose()?;
    build(
        iso,
        elf,
        archive.as_ref().map(tempfile::NamedTempFile::path),
        line,
    )
}

/// The command line of an image: `append`, which the user wrote as the kernel reads it, and the
/// program's name.
pub fn command_line(elf: &Path, append: &str) -> Result<CommandLine> {
    let mut line = CommandLine::parse(append.as_ref())
        .map_err(|what| failure::user(format!("--append: {what}")))?;
    if !line.settings.iter().any(|(key, _)| key == "argv0") {
        let name = elf.file_name().unwrap_or_default();
        line.settings
            .insert(0, ("argv0".to_owned(), name.to_owned()));
    }
    Ok(line)
}

/// The text of `grub.cfg`: boot at once, without a menu.
fn grub_config(line: &CommandLine, module: bool) -> Result<Vec<u8>> {
    let words = line.render_for_grub().map_err(|word| {
        let word = word.to_string_lossy();
        failure::user(format!(
            "GRUB cannot carry the argument \"{word}\": leave it out"
        ))
    })?;
    let mut text =
        b"set timeout=0\nset default=0\nmenuentry 'Lintel' {\n  multiboot2 /boot/app ".to_vec();
    text.extend(words);
    text.push(b'\n');
    if module {
        text.extend(b"  module2 /boot/root.cpio root.cpio\n");
    }
    text.extend(b"  boot\n}\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_carries_the_command_line() {
        let mut line = CommandLine::default();
        line.set("tick", "1");
        line.args = vec!["two words".into()];
        let text = String::from_utf8(grub_config(&line, true).unwrap()).unwrap();
        assert!(
            text.contains("multiboot2 /boot/app 'lintel.tick=1' 'two words'\n"),
            "{text}"
        );
        assert!(text.contains("module2 /boot/root.cpio"), "{text}");
        line.args = vec!["".into()];
        assert!(grub_config(&line, false).is_err());
    }
}
