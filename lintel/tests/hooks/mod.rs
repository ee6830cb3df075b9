//! Takes the hooks of the profiler and of the debug events out of a copy of the kernel's source, as
//! text, as if they had never been written.
//!
//! The hooks are regular for this: a call by path (`profile::caused(…)`, `crate::events::write()`),
//! whose last argument is a closure where it wraps something. What it wraps stays; all else goes.

use std::fs;
use std::path::Path;

/// The two modules.
const MODULES: [&str; 2] = ["profile", "events"];

/// Strips every Rust file below `directory`, and removes the modules themselves. Returns how many
/// hooks there were.
pub fn strip(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("a directory of the copy is readable");
    let mut count = 0;
    for path in entries.map(|entry| entry.expect("it stays so").path()) {
        if path.is_dir() {
            if MODULES
                .iter()
                .any(|module| path.ends_with(format!("src/{module}")))
            {
                fs::remove_dir_all(&path).expect("the copy is ours");
            } else {
                count += strip(&path);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let (text, hooks) = strip_text(&text);
            fs::write(&path, text).expect("the copy is ours");
            count += hooks;
        }
    }
    count
}

/// The text of a file without hooks, and how many there were.
fn strip_text(text: &str) -> (String, usize) {
    let mut text = without_fields(&without_names(text));
    let mut count = 0;
    while let Some((start, open)) = find_hook(&text) {
        let close = open + closing(&text[open..]);
        let wrapped = wrapped(&text[open + 1..close]).to_owned();
        text.replace_range(start..=close, &format!("({wrapped})"));
        count += 1;
    }
    for module in MODULES {
        text = text.replace(&format!("{module}::ENABLED"), "false");
    }
    (text.replace("crate::false", "false"), count)
}

/// Without the fields that keep something for the modules, which have no size when these are absent,
/// and without what is said of them.
fn without_fields(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in text.split_inclusive('\n') {
        let keeps = |module: &&str| line.contains(&format!("{module}: {module}::Call"));
        if MODULES.iter().any(keeps) {
            while kept
                .last()
                .is_some_and(|line| line.trim_start().starts_with("///"))
            {
                kept.pop();
            }
        } else {
            kept.push(line);
        }
    }
    kept.concat()
}

/// Without the declarations of the modules and without their names in imports.
fn without_names(text: &str) -> String {
    let mut text = text.to_owned();
    for module in MODULES {
        if let Some(at) = text.find(&format!("\npub mod {module};")) {
            let end = at + text[at + 1..].find('\n').expect("the line ends") + 1;
            // With its attribute, which is the only one with a path.
            let start = text[..at].rfind("#[cfg_attr(").expect("it is conditional");
            text.replace_range(start..end, "");
        }
    }
    let imports = text.split_inclusive('\n').map(|line| {
        let mut line = line.to_owned();
        if line.starts_with("use ") || line.starts_with("    use ") {
            for module in MODULES {
                for (from, to) in [
                    (format!("{{{module}, "), "{"),
                    (format!(", {module},"), ","),
                    (format!(", {module}}}"), "}"),
                    (format!("{{{module}}}"), "{}"),
                ] {
                    line = line.replace(&from, to);
                }
                let path = line.trim_start().trim_start_matches("use ");
                let path = path
                    .trim_start_matches("crate::")
                    .trim_start_matches("unikernel::");
                if path.starts_with(&format!("{module};"))
                    || path.starts_with(&format!("{module}::"))
                {
                    return String::new();
                }
            }
        }
        line
    });
    imports.collect()
}

/// The first call of a hook: where its path starts and where its parenthesis opens.
fn find_hook(text: &str) -> Option<(usize, usize)> {
    let hooks = MODULES.iter().flat_map(|module| {
        let path = format!("{module}::");
        let places: Vec<_> = text.match_indices(&path).map(|found| found.0).collect();
        places
            .into_iter()
            .filter_map(move |at| call(text, at, at + path.len()))
    });
    hooks.min()
}

/// The call whose module's name is at `at` and whose function's name is at `name`, if it is one.
fn call(text: &str, at: usize, name: usize) -> Option<(usize, usize)> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let length = text[name..].find(|c| !is_name(c))?;
    let before = &text[..at];
    let start = ["crate::", "unikernel::"]
        .iter()
        .find(|prefix| before.ends_with(**prefix));
    let start = at - start.map_or(0, |prefix| prefix.len());
    let is_path = text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let comment = text[..start].rsplit('\n').next()?.contains("//");
    let opens = text[name + length..].starts_with('(');
    (length > 0 && opens && !is_path && !comment).then_some((start, name + length))
}

/// Where the parenthesis that `text` begins with is closed. No hook has one in a string.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return at;
        }
    }
    panic!("a hook has no end: {text}");
}

/// Of the arguments of a hook what it wraps: the body of the closure, or nothing.
fn wrapped(arguments: &str) -> &str {
    let closure = arguments.find("|| ").map(|at| &arguments[at + 3..]);
    closure.unwrap_or("").trim().trim_end_matches(',')
}

#[test]
fn hooks_are_stripped() {
    let source = "use crate::{events, sys};\nuse crate::profile::{self, Door};\n\
        fn f() {\n    events::around(n, [a, b], || {\n        profile::around(n, None, || g(h(1)))\n    });\n\
        profile::trapping();\n    /// Said of it.\n    pub events: events::Call,\n    if profile::ENABLED { crate::events::write(); }\n\
        // profile::caused(x)\n    Kind::A => profile::asked(),\n}\n";
    let (text, count) = strip_text(source);
    assert_eq!(count, 5);
    assert_eq!(
        text,
        "use crate::{sys};\nfn f() {\n    ({\n        (g(h(1)))\n    });\n();\n    \
         if false { (); }\n// profile::caused(x)\n    Kind::A => (),\n}\n"
    );
}
