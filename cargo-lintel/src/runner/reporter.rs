//! What the kernel says on its control channel, for people and for a file.

use super::control::{self, Event, Line};
use super::{Request, symbolize};
use crate::failure;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Fails if events cannot be written to `path`. What is there stays as it is.
pub fn check(path: &Path) -> Result<()> {
    let mut options = File::options();
    let opened = options.write(true).create(true).truncate(false).open(path);
    opened.map(drop).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    failure::user(format!(
        "cannot write the events to {}: {error}",
        path.display()
    ))
}

/// Prints what the kernel says, with names for addresses, and keeps the events.
pub struct Reporter {
    elf: PathBuf,
    symbols: Option<Option<symbolize::Symbols>>,
    events: Option<File>,
}

impl Reporter {
    /// Opens the file of the events, if there is to be one.
    pub fn new(request: &Request) -> Result<Self> {
        let create = |path: &PathBuf| File::create(path).map_err(|error| unwritable(path, &error));
        let events = request.events.as_ref().map(create).transpose()?;
        Ok(Self {
            elf: request.elf.clone(),
            symbols: None,
            events,
        })
    }

    /// The file of the events, for others who write to it, too.
    pub fn events(&self) -> Result<Option<File>> {
        let file = self.events.as_ref().map(File::try_clone).transpose();
        file.context("cannot share the file of the events")
    }

    /// Does what a line of the control channel asks for.
    pub fn see(&mut self, line: Line) {
        match line {
            Line::Text(text) => {
                let symbols = self
                    .symbols
                    .get_or_insert_with(|| symbolize::Symbols::load(&self.elf));
                let text = symbols
                    .as_ref()
                    .map_or(text.clone(), |symbols| symbols.annotate(&text));
                eprintln!("{text}");
            }
            Line::Event(event, text) => {
                self.keep(&text);
                self.describe(&event);
            }
        }
    }

    fn keep(&mut self, text: &str) {
        if let Some(file) = &mut self.events {
            let _ = writeln!(file, "{text}");
        }
    }

    fn describe(&self, event: &Event) {
        if let Some(text) = control::describe(event) {
            eprintln!("{text}");
        }
    }
}
