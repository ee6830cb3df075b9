//! Printing a tree.

use crate::args::{Options, Order, Sizes};
use crate::walk::{Kind, Node};
use std::cmp::{Ordering, Reverse};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

/// How much was printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Directories, the roots not counted.
    pub directories: u64,
    /// Everything else.
    pub others: u64,
}

/// Prints `root` and what is below it, as the options say.
///
/// # Errors
/// The writer's.
pub fn print(
    root: &Node,
    options: &Options,
    totals: &mut Totals,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut printer = Printer {
        options,
        totals,
        out,
        indent: String::new(),
    };
    printer.line(root)?;
    printer.children(root, 1)
}

struct Printer<'a, W> {
    options: &'a Options,
    totals: &'a mut Totals,
    out: &'a mut W,
    /// What stands before the branches of the level that is printed.
    indent: String,
}

impl<W: Write> Printer<'_, W> {
    fn children(&mut self, node: &Node, level: usize) -> io::Result<()> {
        if self.options.depth.is_some_and(|depth| level > depth) {
            return Ok(());
        }
        let mut shown: Vec<&Node> = node
            .children
            .iter()
            .filter(|child| self.wants(child))
            .collect();
        shown.sort_by(|a, b| compare(a, b, self.options));
        for (index, child) in shown.iter().enumerate() {
            let is_last = index + 1 == shown.len();
            write!(
                self.out,
                "{}{}",
                self.indent,
                if is_last { "└── " } else { "├── " }
            )?;
            self.line(child)?;
            match child.kind {
                Kind::Directory => self.totals.directories += 1,
                _ => self.totals.others += 1,
            }
            let length = self.indent.len();
            self.indent.push_str(if is_last { "    " } else { "│   " });
            self.children(child, level + 1)?;
            self.indent.truncate(length);
        }
        Ok(())
    }

    fn wants(&self, node: &Node) -> bool {
        let hidden = node.name.as_bytes().starts_with(b".");
        (self.options.all || !hidden) && (!self.options.directories || node.kind == Kind::Directory)
    }

    fn line(&mut self, node: &Node) -> io::Result<()> {
        let mut facts = Vec::new();
        if self.options.permissions {
            facts.push(permissions(node));
        }
        match self.options.sizes {
            Sizes::Hidden => {}
            Sizes::Bytes => facts.push(format!("{:>10}", node.size)),
            Sizes::Human => facts.push(format!("{:>5}", human(node.size))),
        }
        if !facts.is_empty() {
            write!(self.out, "[{}] ", facts.join(" "))?;
        }
        write!(self.out, "{}", readable(&node.name))?;
        if let Some(target) = &node.target {
            write!(self.out, " -> {}", readable(target.as_os_str()))?;
        }
        if let Some(error) = &node.error {
            write!(self.out, " [{error}]")?;
        }
        writeln!(self.out)
    }
}

fn compare(a: &Node, b: &Node, options: &Options) -> Ordering {
    let by_name = || a.name.as_bytes().cmp(b.name.as_bytes());
    let ordering = match options.order {
        Order::Name => by_name(),
        Order::Size => Reverse(a.size).cmp(&Reverse(b.size)).then_with(by_name),
        Order::Kind => {
            let rank = |node: &Node| node.kind != Kind::Directory;
            rank(a).cmp(&rank(b)).then_with(by_name)
        }
    };
    if options.reverse {
        ordering.reverse()
    } else {
        ordering
    }
}

/// A name for a terminal: what is not text, or would change the terminal, is escaped.
fn readable(name: &OsStr) -> String {
    let escape = |text: &str| {
        let each = text.chars().map(|c| match c {
            _ if c.is_control() => c.escape_default().to_string(),
            _ => c.to_string(),
        });
        each.collect::<String>()
    };
    let chunks = name.as_bytes().utf8_chunks();
    let each = chunks.map(|chunk| {
        let invalid: String = chunk
            .invalid()
            .iter()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        escape(chunk.valid()) + &invalid
    });
    each.collect()
}

/// `drwxr-xr-x`, as ls(1) has it.
fn permissions(node: &Node) -> String {
    let mut text = String::from(node.kind.letter());
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = node.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, node.mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// A size with at most four characters: `999`, `1.0K`, `20M`. Rounded up, as du(1) does.
fn human(size: u64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if size < 1024 {
        return size.to_string();
    }
    let mut unit: u64 = 1024;
    let mut index = 0;
    // 1023.5K would round up to 1024K.
    while index + 1 < UNITS.len() && size.div_ceil(unit) >= 1024 {
        unit *= 1024;
        index += 1;
    }
    let tenths = (u128::from(size) * 10).div_ceil(u128::from(unit));
    match tenths {
        0..100 => format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[index]),
        _ => format!("{}{}", size.div_ceil(unit), UNITS[index]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(name: &str, kind: Kind, size: u64) -> Node {
        Node {
            name: name.into(),
            kind,
            mode: 0o644,
            size,
            target: None,
            children: Vec::new(),
            error: None,
        }
    }

    fn sample() -> Node {
        let mut inner = leaf("b", Kind::Directory, 7);
        inner.children = vec![leaf("deep", Kind::File, 7)];
        let mut root = leaf(".", Kind::Directory, 57);
        root.children = vec![
            leaf("c", Kind::File, 50),
            inner,
            leaf(".hidden", Kind::File, 0),
            leaf("a\n", Kind::File, 0),
        ];
        root
    }

    fn printed(options: &Options) -> (String, Totals) {
        let (mut out, mut totals) = (Vec::new(), Totals::default());
        print(&sample(), options, &mut totals, &mut out).expect("a vector can be written");
        (String::from_utf8(out).expect("text"), totals)
    }

    #[test]
    fn branches_are_drawn() {
        let (text, totals) = printed(&Options::default());
        assert_eq!(text, ".\n├── a\\n\n├── b\n│   └── deep\n└── c\n");
        let wanted = Totals {
            directories: 1,
            others: 3,
        };
        assert_eq!(totals, wanted);
    }

    #[test]
    fn options_select_and_sort() {
        let options = Options {
            depth: Some(1),
            order: Order::Size,
            sizes: Sizes::Bytes,
            ..Options::default()
        };
        let lines = [
            "[        57] .",
            "├── [        50] c",
            "├── [         7] b",
            "└── [         0] a\\n",
        ];
        assert_eq!(printed(&options).0, lines.join("\n") + "\n");
        let options = Options {
            directories: true,
            permissions: true,
            ..Options::default()
        };
        assert_eq!(printed(&options).0, "[drw-r--r--] .\n└── [drw-r--r--] b\n");
    }

    #[test]
    fn sizes_fit_in_four_characters() {
        let cases = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10 * 1024, "10K"),
            (1023 * 1024 + 1, "1.0M"),
            (5 << 30, "5.0G"),
            (u64::MAX, "16E"),
        ];
        for (size, wanted) in cases {
            assert_eq!(human(size), wanted);
        }
    }

    #[test]
    fn special_bits_are_shown() {
        let mut node = leaf("x", Kind::File, 0);
        for (mode, wanted) in [
            (0o4755, "-rwsr-xr-x"),
            (0o6644, "-rwSr-Sr--"),
            (0o1777, "-rwxrwxrwt"),
        ] {
            node.mode = mode;
            assert_eq!(permissions(&node), wanted);
        }
    }
}
