//! `nas-script doc`: what a script can call, from the doc comments of the bindings and the standard library.

use crate::error::{Error, Result};
use crate::report::progress::say;
use crate::script::{self, Entry, Kind, Reference};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A name, such as `conv2d`, `StateSpace`, `StateSpace.add_state`, `nas/darts` or `darts::space`; none lists all.
    name: Option<String>,
    /// Print the whole reference as Markdown, as docs/reference.md has it.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

pub(super) fn show(arguments: &Arguments) -> Result<()> {
    let reference = Reference::of(&script::vocabulary());
    match &arguments.name {
        _ if arguments.markdown => say(reference.markdown().trim_end()),
        Some(name) => say(entries(&reference, name)?.trim_end()),
        None => say(contents(&reference).trim_end()),
    }
    Ok(())
}

/// The entries that `name` means, as text; of a type or a module with what belongs to it.
fn entries(reference: &Reference, name: &str) -> Result<String> {
    let found = reference.find(name);
    if found.is_empty() {
        let near: Vec<&str> = reference.nearest(name).into_iter().collect();
        return Err(match near.is_empty() {
            false => Error::unknown("name", name, near),
            true => Error::invalid("NAME", "a name that `nas-script doc` lists", name),
        });
    }
    let sections = reference.sections();
    let below = |entry: &Entry| match entry.kind {
        Kind::Type | Kind::Module => {
            let own = sections.iter().find(|section| section.title == entry.name);
            own.map_or(String::new(), |own| format!("\n{}", list(&own.entries)))
        }
        _ => String::new(),
    };
    let shown = found.iter().map(|entry| format!("{entry}{}", below(entry)));
    Ok(shown.collect::<Vec<_>>().join("\n"))
}

/// Everything by what it belongs to, a line each.
fn contents(reference: &Reference) -> String {
    let sections = reference.sections().into_iter();
    let text = sections.map(|section| format!("{}\n{}", section.title, list(&section.entries)));
    text.collect::<Vec<_>>().join("\n")
}

/// A line an entry: its name, and what it does.
fn list(entries: &[&Entry]) -> String {
    let width = entries.iter().map(|e| e.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let line = |entry: &&Entry| format!("  {:<width$}  {}\n", entry.name, entry.summary());
    entries.iter().map(line).collect()
}
