//! Numbers for people: times, sizes, shares, tables.

/// A time with three or four digits: `49 ns`, `9.95 µs`, `1.03 ms`, `2.50 s`.
pub fn time(ns: u64) -> String {
    scaled(ns as f64, &["ns", "µs", "ms", "s"])
}

/// A size in bytes, decimal: `276.9 kB`; nothing for zero.
pub fn bytes(count: u64) -> String {
    match count {
        0 => String::new(),
        _ => scaled(count as f64, &["B", "kB", "MB", "GB", "TB"]),
    }
}

fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.5 would be shown as 1000.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match (unit, value) {
        (0, _) => 0,
        (_, value) if value < 9.995 => 2,
        (_, value) if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", units[unit])
}

/// A number with a comma every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The change from `before` to `after` in percent: `+10.0 %`; `new` from zero.
pub fn change(before: u64, after: u64) -> String {
    match (before, after) {
        (0, 0) => "0.0 %".into(),
        (0, _) => "new".into(),
        _ => format!("{:+.1} %", (after as f64 / before as f64 - 1.0) * 100.0),
    }
}

/// A bar of at most `width` cells for a share between 0 and 1, in eighths of a cell.
pub fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let mut text = "█".repeat(eighths / 8);
    text.extend(
        ['\0', '▏', '▎', '▍', '▌', '▋', '▊', '▉']
            .get(eighths % 8)
            .filter(|c| **c != '\0'),
    );
    text
}

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// On the left.
    Left,
    /// On the right, as numbers do.
    Right,
}

/// Lays out rows under headings, two blanks between columns. A column whose cells are all empty
/// is left out.
pub fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        let widest = cells.max().unwrap_or(0);
        (widest > 0).then(|| widest.max(columns[column].0.chars().count()))
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let heading: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(columns).zip(&widths) {
            let Some(width) = width else { continue };
            let pad = " ".repeat(width - cell.chars().count().min(*width));
            line += &match column.1 {
                Align::Left => format!("{cell}{pad}  "),
                Align::Right => format!("{pad}{cell}  "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Text for HTML and SVG.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1.00 µs"),
            (9950, "9.95 µs"),
            (1_034_331, "1.03 ms"),
            (59_043_930, "59.0 ms"),
            (999_700, "1.00 ms"),
            (7_200_000_000_000, "7200 s"),
        ] {
            assert_eq!(time(ns), text);
        }
        assert_eq!((bytes(0), bytes(276_924)), (String::new(), "277 kB".into()));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn changes_have_a_sign() {
        assert_eq!(change(100, 110), "+10.0 %");
        assert_eq!(change(200, 100), "-50.0 %");
        assert_eq!((change(0, 5), change(0, 0)), ("new".into(), "0.0 %".into()));
    }

    #[test]
    fn bars_have_eighths() {
        assert_eq!(bar(0.5, 4), "██");
        assert_eq!(bar(1.0 / 32.0, 4), "▏");
        assert_eq!(bar(0.0, 4), "");
        assert_eq!(bar(7.0, 2), "██");
    }

    #[test]
    fn tables_drop_empty_columns() {
        let columns = [
            ("a", Align::Left),
            ("b", Align::Right),
            ("long", Align::Right),
        ];
        let rows = [
            vec!["µ".into(), String::new(), "1".into()],
            vec!["xyz".into(), String::new(), "22".into()],
        ];
        assert_eq!(table(&columns, &rows), "a    long\nµ       1\nxyz    22\n");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }
}
