//! Rows for the speed test: numbers in an order that looks random, and their names.

/// A linear congruential generator: the same numbers on every machine (constants of Knuth's MMIX).
pub struct Numbers(u64);

impl Numbers {
    /// The generator from its start.
    pub const fn new() -> Self {
        Self(1)
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        const FACTOR: u64 = 6_364_136_223_846_793_005;
        const TERM: u64 = 1_442_695_040_888_963_407;
        self.0 = self.0.wrapping_mul(FACTOR).wrapping_add(TERM);
        ((self.0 >> 32) % u64::from(end)) as u32
    }
}

const SMALL: [&str; 20] = [
    "",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const LARGE: [(u32, &str); 3] = [
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1000, "thousand"),
];

/// A number in English: `four hundred two thousand seventeen`.
pub fn name_of(number: u32) -> String {
    if number == 0 {
        return "zero".to_owned();
    }
    let mut words = Vec::new();
    let mut rest = number;
    for (unit, word) in LARGE {
        if rest >= unit {
            below_thousand(rest / unit, &mut words);
            words.push(word);
            rest %= unit;
        }
    }
    below_thousand(rest, &mut words);
    words.join(" ")
}

fn below_thousand(number: u32, words: &mut Vec<&str>) {
    let (hundreds, rest) = (number / 100, number % 100);
    if hundreds > 0 {
        words.extend([SMALL[hundreds as usize], "hundred"]);
    }
    let parts = match rest {
        0 => ["", ""],
        1..20 => [SMALL[rest as usize], ""],
        _ => [TENS[rest as usize / 10], SMALL[rest as usize % 10]],
    };
    words.extend(parts.into_iter().filter(|word| !word.is_empty()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        for (number, name) in [
            (0, "zero"),
            (13, "thirteen"),
            (90, "ninety"),
            (402_017, "four hundred two thousand seventeen"),
            (1_000_001, "one million one"),
        ] {
            assert_eq!(name_of(number), name);
        }
        assert!(name_of(u32::MAX).starts_with("four billion two hundred ninety four million"));
    }

    #[test]
    fn the_generator_repeats() {
        let (mut one, mut other) = (Numbers::new(), Numbers::new());
        let same = (0..100).all(|_| one.below(1000) == other.below(1000));
        assert!(same && one.below(1) == 0);
    }
}
