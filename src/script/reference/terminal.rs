//! Entries as a terminal shows them: signatures, then the documentation, in lines of one width. Knows nothing of colours
//! and of how wide the terminal is.

use std::fmt::{self, Write};

use super::Entry;

/// The longest line, except in examples.
const WIDTH: usize = 100;

impl fmt::Display for Entry {
    /// The entry as a terminal shows it: signatures, then the documentation, both indented.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.signatures.is_empty() {
            true => writeln!(f, "{}", self.name)?,
            false => self
                .signatures
                .iter()
                .try_for_each(|s| writeln!(f, "{s}"))?,
        }
        f.write_str(&prose(&self.doc))
    }
}

/// A line for each of `entries`: its name, and what it does.
pub fn listed(entries: &[&Entry]) -> String {
    let width = entries.iter().map(|e| e.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let line = |entry: &&Entry| {
        let name = format!("  {:<width$}  ", entry.name);
        wrapped(&entry.summary(), &name, width + 4)
    };
    entries.iter().map(line).collect()
}

/// A documentation: paragraphs and list items in lines of one width, examples as they are.
pub fn prose(doc: &str) -> String {
    let mut text = String::new();
    let mut part = String::new();
    let mut code = false;
    let close = |part: &mut String, text: &mut String| {
        let hanging = if part.starts_with("- ") { 6 } else { 4 };
        if !part.is_empty() {
            text.push_str(&wrapped(part, "    ", hanging));
        }
        part.clear();
    };
    for line in doc.lines() {
        if code && !line.trim_start().starts_with("```") {
            let indent = if line.is_empty() { "" } else { "        " };
            let _ = writeln!(text, "{indent}{line}");
            continue;
        }
        // Lines that begin something of their own; a heading says nothing that the example after it does not.
        let starts = [
            "- ",
            "|",
            "#",
            "```",
            "Author",
            "Licence:",
            "Parameters:",
            "Needs:",
        ]
        .iter()
        .any(|mark| line.trim_start().starts_with(mark));
        if starts || line.is_empty() {
            close(&mut part, &mut text);
        }
        match line.trim() {
            "" if text.is_empty() || text.ends_with("\n\n") => {}
            "" => text.push('\n'),
            fence if fence.starts_with("```") => code = !code,
            "# Example" | "# Examples" => {}
            line => {
                let apart = if part.is_empty() { "" } else { " " };
                let _ = write!(part, "{apart}{line}");
            }
        }
    }
    close(&mut part, &mut text);
    text
}

/// `text` after `first`, in lines that go on `hanging` columns from the left.
fn wrapped(text: &str, first: &str, hanging: usize) -> String {
    let mut lines = String::new();
    let mut line = first.to_string();
    let mut fresh = true;
    for word in text.split_whitespace() {
        let length = line.chars().count() + usize::from(!fresh) + word.chars().count();
        if !fresh && length > WIDTH {
            let _ = writeln!(lines, "{line}");
            line = " ".repeat(hanging);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    let _ = writeln!(lines, "{}", line.trim_end());
    lines
}
