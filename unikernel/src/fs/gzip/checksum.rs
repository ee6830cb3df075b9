//! CRC-32 as gzip has it (RFC 1952, section 8), four bytes at a time.
//!
//! Crates for it bring sixteen KiB of tables; these four are made when they are needed, which is
//! once, at boot.

/// The polynomial, lowest bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;

type Tables = [[u32; 256]; 4];

/// The table for a byte that is followed by 0, 1, 2, 3 others.
fn tables() -> Tables {
    let mut tables = [[0; 256]; 4];
    for (byte, remainder) in (0u32..).zip(&mut tables[0]) {
        *remainder = byte;
        for _ in 0..8 {
            let carry = *remainder & 1;
            *remainder = (*remainder >> 1) ^ (POLYNOMIAL * carry);
        }
    }
    for followers in 1..4 {
        for byte in 0..256 {
            let before = tables[followers - 1][byte];
            tables[followers][byte] = (before >> 8) ^ tables[0][before as usize & 0xff];
        }
    }
    tables
}

/// The checksum of `bytes`.
#[inline(never)]
pub fn of(bytes: &[u8]) -> u32 {
    let tables = tables();
    let (words, rest) = bytes.as_chunks::<4>();
    let mut sum = !0;
    for word in words {
        let [a, b, c, d] = (sum ^ u32::from_le_bytes(*word)).to_le_bytes();
        sum = tables[3][usize::from(a)]
            ^ tables[2][usize::from(b)]
            ^ tables[1][usize::from(c)]
            ^ tables[0][usize::from(d)];
    }
    for &byte in rest {
        sum = (sum >> 8) ^ tables[0][usize::from(sum as u8 ^ byte)];
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts_have_their_sums() {
        for (text, sum) in [
            (&b""[..], 0),
            (b"a", 0xe8b7_be43),
            (b"123456789", 0xcbf4_3926),
            (b"The quick brown fox jumps over the lazy dog", 0x414f_a339),
        ] {
            assert_eq!(of(text), sum);
        }
    }

    #[test]
    fn four_bytes_at_a_time_are_as_good_as_one() {
        let bytes: Vec<u8> = (0..if cfg!(miri) { 50 } else { 1000_u32 })
            .map(|i| ((i * i) >> 3) as u8)
            .collect();
        let table = tables()[0];
        let mut sum = !0u32;
        for (len, &byte) in bytes.iter().enumerate() {
            assert_eq!(of(&bytes[..len]), !sum);
            sum = (sum >> 8) ^ table[usize::from(sum as u8 ^ byte)];
        }
    }
}
