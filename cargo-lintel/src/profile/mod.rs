//! `cargo lintel profile`: what `cargo lintel run --profile` has recorded, for people.

mod diff;
mod histogram;
mod html;
mod record;
mod svg;
mod table;
pub mod units;
mod usual;

use crate::failure;
use anyhow::Result;
use record::Profile;
use std::path::{Path, PathBuf};

/// How to show a profile.
pub struct Options {
    /// Only this many calls, the dearest.
    pub top: Option<usize>,
    /// Print JSON.
    pub json: bool,
    /// Write a page here instead.
    pub html: Option<PathBuf>,
}

/// Shows the profile in `path`.
pub fn show(path: &Path, options: &Options) -> Result<u8> {
    let mut profile = Profile::read(path)?;
    profile.sort();
    if let Some(page) = &options.html {
        write(page, &html::page(&profile, options.top))?;
    }
    if options.json {
        print(&format!("{:#}\n", table::json(&profile, options.top)));
    } else if options.html.is_none() {
        print(&table::text(&profile, options.top));
    }
    Ok(0)
}

/// Compares two profiles; 1 if a call has usually become dearer by more than `limit` (a
/// fraction).
pub fn diff(before: &Path, after: &Path, limit: Option<f64>) -> Result<u8> {
    let (before, after) = (Profile::read(before)?, Profile::read(after)?);
    let diff = diff::Diff::of(&before, &after);
    print(&diff.text(&before, &after));
    let Some(limit) = limit else { return Ok(0) };
    let beyond = diff.beyond(limit);
    for change in &beyond {
        print(&format!("beyond {:.1} %: {change}\n", limit * 100.0));
    }
    let unjudged = diff.unjudged();
    if !unjudged.is_empty() {
        print(&format!(
            "not judged (below {} calls): {}\n",
            usual::Usual::CALLS,
            unjudged.join(", ")
        ));
    }
    Ok(u8::from(!beyond.is_empty()))
}

/// Writes a file that the user asked for.
pub fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|error| failure::user(format!("cannot write {}: {error}", path.display())))
}

/// Prints; that the reader has gone (`| head`) is no error.
pub fn print(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
