//! Tests of the archive parser.

use super::*;
use crate::fs::testing::Packer;

fn sample() -> Packer {
    Packer::default()
        .dir(".")
        .file("./etc/motd", b"hello")
        .link("lnk", "/etc")
        .file("empty", b"")
}

fn error(image: &[u8]) -> Error {
    Entries::new(image).find_map(Result::err).expect("a fault")
}

#[test]
fn entries_come_out_as_they_went_in() {
    let image = sample().end().0;
    let all: Vec<_> = Entries::new(&image).map(Result::unwrap).collect();
    let names: Vec<_> = all
        .iter()
        .map(|e| core::str::from_utf8(e.name).unwrap())
        .collect();
    assert_eq!(names, [".", "./etc/motd", "lnk", "empty"]);
    assert_eq!(
        (all[1].mode, all[1].data, all[1].mtime),
        (0o100_644, &b"hello"[..], 1_700_000_000)
    );
    assert_eq!((all[1].dev, all[1].ino, all[1].archive), ((8, 1), 9, 0));
}

#[test]
fn archives_follow_each_other_behind_zero_padding() {
    let mut image = sample().end().0;
    image.extend([0; 1024]);
    image.extend(Packer::default().file("late", b"x").end().0);
    let late = Entries::new(&image).last().unwrap().unwrap();
    assert_eq!((late.name, late.archive), (&b"late"[..], 1));
    assert_eq!(
        Entries::new(&[0; 4096]).count() + Entries::new(&[]).count(),
        0
    );
}

#[test]
fn every_hex_digit_is_converted_and_nothing_else_is() {
    for byte in 0..=255u8 {
        for place in 0..8 {
            let mut text = *b"00000000";
            text[place] = byte;
            let (value, wrong) = digits(&text);
            match char::from(byte).to_digit(16) {
                Some(digit) => assert_eq!((value, wrong), (digit << ((7 - place) * 4), 0)),
                None => assert_ne!(wrong, 0, "byte {byte:#x}"),
            }
        }
    }
    assert_eq!(digits(b"DeadBeef"), (0xdead_beef, 0));
    assert_eq!(digits(b"0123abCF"), (0x0123_abcf, 0));
}

#[test]
fn faults_name_the_byte_and_what_was_expected() {
    let good = sample().end().0;
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        error(&bad)
    };
    let (mode, namesize) = (MAGIC + 8, MAGIC + NAMESIZE * 8);
    assert_eq!(
        with(5, b'7'),
        Error {
            offset: 0,
            fault: Fault::BadMagic
        }
    );
    assert_eq!(
        with(mode + 3, b'g'),
        Error {
            offset: 17,
            fault: Fault::BadDigit("c_mode", b'g')
        }
    );
    assert_eq!(
        with(111, b'x'),
        Error {
            offset: 111,
            fault: Fault::NameNotTerminated
        }
    );
    assert_eq!(with(namesize, b'f').fault, Fault::NameTooLong(0xf000_0002));
    assert_eq!(with(namesize + 7, b'0').fault, Fault::NameNotTerminated);
    let left = good.len() - 112;
    assert_eq!(
        with(MAGIC + 6 * 8, b'f').fault,
        Fault::PastEnd("data", 0xf000_0000, left)
    );
    assert_eq!(error(&good[..50]).fault, Fault::TruncatedHeader(50));
    assert_eq!(error(&good[..111]).fault, Fault::PastEnd("name", 2, 1));
    assert_eq!(
        error(&good[..112]),
        Error {
            offset: 112,
            fault: Fault::MissingTrailer
        }
    );
}

#[test]
fn compressed_images_are_told_apart() {
    let gzip = error(b"\x1f\x8b\x08\0");
    assert_eq!(
        gzip,
        Error {
            offset: 0,
            fault: Fault::Compressed("gzip")
        }
    );
    assert_eq!(
        gzip.to_string(),
        "compressed initrd: decompress it, or use gzip (gzip at byte 0x0)"
    );
    assert_eq!(error(b"\x28\xb5\x2f\xfd").fault, Fault::Compressed("zstd"));
    assert_eq!(error(b"07").fault, Fault::TruncatedHeader(2));
    assert_eq!(error(b"070707").fault, Fault::BadMagic);
    let text = Error {
        offset: 18,
        fault: Fault::BadDigit("c_mode", b'g'),
    }
    .to_string();
    assert_eq!(
        text,
        "byte 0x12: hex digit expected in c_mode, found byte 0x67"
    );
}

#[test]
fn truncation_at_any_byte_is_an_error_and_never_a_panic() {
    let good = sample().end().0;
    let whole = Entries::new(&good).count();
    let trailer = good
        .windows(TRAILER.len())
        .position(|w| w == TRAILER)
        .unwrap();
    for len in 0..good.len() {
        let cut = &good[..len];
        let entries: Vec<_> = Entries::new(cut).collect();
        // Only an empty image and one cut behind the trailer's NUL are sound.
        let sound = len == 0 || len > trailer + TRAILER.len();
        assert_eq!(entries.iter().all(Result::is_ok), sound, "cut at {len}");
        assert!(entries.len() <= whole + 1);
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let good = sample().file("more", &[b'0'; 300]).end().0;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..crate::testing::rounds(20_000) {
        let mut bad = good.clone();
        for _ in 0..1 + seed % 4 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = seed as usize % bad.len();
            bad[at] = (seed >> 40) as u8;
        }
        let ok = Entries::new(&bad).filter(Result::is_ok).count();
        assert!(ok <= bad.len() / HEADER);
    }
}
