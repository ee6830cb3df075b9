//! Tests of inflating.

use super::*;
use miniz_oxide::deflate::compress_to_vec;

/// A member as gzip(1) writes it, with some of the optional parts.
pub(crate) fn pack(content: &[u8], flags: u8) -> Vec<u8> {
    let mut image = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    if flags & flag::EXTRA != 0 {
        image.extend([3, 0, 1, 2, 3]);
    }
    if flags & flag::NAME != 0 {
        image.extend(b"root.cpio\0");
    }
    if flags & flag::COMMENT != 0 {
        image.extend(b"a comment\0");
    }
    if flags & flag::HEADER_CHECKSUM != 0 {
        image.extend([0x12, 0x34]);
    }
    image.extend(compress_to_vec(content, 6));
    image.extend(checksum::of(content).to_le_bytes());
    image.extend((content.len() as u32).to_le_bytes());
    image
}

fn sample(len: usize) -> Vec<u8> {
    let mut seed = 7u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 24
    };
    // Compressible, and not too well.
    (0..len).map(|_| (next() & next()) as u8).collect()
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn content_comes_out_as_it_went_in() {
    for len in [0, 1, 100, 4096, 32_768, 32_769, 300_000] {
        let content = sample(len);
        for flags in [0, flag::NAME, flag::EXTRA | flag::HEADER_CHECKSUM, 0x1e] {
            let image = pack(&content, flags);
            let member = inflate(&image, 0).unwrap();
            assert!(member.content == content, "{len}");
            assert_eq!(member.end, image.len());
        }
    }
    let zeros = vec![0; 5 << 20];
    assert!(inflate(&pack(&zeros, 0), 0).unwrap().content == zeros);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn what_follows_a_member_does_not_matter() {
    let (one, two) = (sample(100_000), sample(500));
    for behind in [&[0; 512][..], b"0707", &pack(&two, flag::NAME), &[0xff; 9]] {
        let mut image = b"before".to_vec();
        image.extend(pack(&one, 0));
        let end = image.len();
        image.extend(behind);
        let member = inflate(&image, 6).unwrap();
        assert!(member.content == one);
        assert_eq!(member.end, end);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn truncation_at_any_byte_is_an_error_at_the_end() {
    let image = pack(&sample(2000), 0x1e);
    for len in 2..image.len() {
        let error = inflate(&image[..len], 0).unwrap_err();
        assert_eq!(error.fault, Fault::Truncated, "cut at {len}");
        assert_eq!(error.offset, len);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn no_flipped_bit_goes_unnoticed() {
    let content = sample(300);
    let image = pack(&content, 0);
    for at in HEADER..image.len() {
        for bit in 0..8 {
            let mut bad = image.clone();
            bad[at] ^= 1 << bit;
            match inflate(&bad, 0) {
                // Some bits mean nothing: those behind the end of the data in its last byte, the
                // lengths of codes that nobody uses.
                Ok(member) => assert!(member.content == content),
                Err(error) => assert!(error.offset >= HEADER && error.offset <= image.len()),
            }
        }
    }
    for (at, value) in [(2, 7), (3, 0x20), (3, 0x80)] {
        let mut bad = image.clone();
        bad[at] = value;
        assert_eq!(inflate(&bad, 0).unwrap_err().fault, Fault::Header);
    }
}

#[test]
fn faults_say_where_they_are() {
    let content = sample(3000);
    let image = pack(&content, 0);
    let trailer = image.len() - TRAILER;
    let broken = |at: usize| {
        let mut bad = image.clone();
        bad[at] ^= 0xff;
        inflate(&bad, 0).unwrap_err()
    };
    let checksum = broken(trailer);
    assert!(matches!(checksum.fault, Fault::Checksum(..)));
    assert_eq!(checksum.offset, trailer);
    let len = broken(trailer + 4);
    assert_eq!(len.fault, Fault::Length(3000 ^ 0xff, 3000));
    assert_eq!(len.offset, trailer + 4);
    // Four GiB of content are not in three kilobytes of data.
    assert!(matches!(broken(trailer + 7).fault, Fault::Length(..)));
    let text = len.to_string();
    assert!(
        text.ends_with(": gzip length 2887, the content has 3000 bytes"),
        "{text}"
    );
    let memory = Error {
        offset: 18,
        fault: Fault::Memory(5000, 2048),
    };
    assert_eq!(
        memory.to_string(),
        "byte 0x12: the gzip data needs 5 KiB, 2 are free: give the VM more memory (--mem MIB)"
    );
}

#[test]
fn a_length_that_belongs_to_something_else_costs_nothing() {
    let content = sample(2000);
    let mut image = pack(&content, 0);
    let end = image.len();
    // As if there were nearly two megabytes, and then as if there were one byte.
    for last in [0x001d_0000_u32, 1] {
        image.truncate(end);
        image.extend(last.to_le_bytes());
        let member = inflate(&image, 0).unwrap();
        assert!(member.content == content);
        assert_eq!(member.end, end);
    }
}
