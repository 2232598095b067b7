//! docs/reference.md, made of the entries.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::outline::FIELDS;
use super::{Entry, Kind, Reference};

/// What a section of the reference is about.
pub struct Section<'a> {
    /// The type, the module's path, or "Functions".
    pub title: &'a str,
    /// What it is for.
    pub about: &'a str,
    /// How a module is imported.
    pub import: Option<&'a str>,
    /// Its entries.
    pub entries: Vec<&'a Entry>,
}

/// The section of what belongs to no object or module.
const FUNCTIONS: &str = "Functions";

impl Reference {
    /// The host's and the library's entries by what they belong to: functions, then the objects (with the
    /// functions that make them), then the modules.
    pub fn sections(&self) -> Vec<Section<'_>> {
        let own = || self.all().filter(|entry| !entry.builtin);
        let home = |entry: &Entry| match (&entry.module, &entry.receiver, entry.returns()) {
            (Some(module), ..) => Some(module.clone()),
            (_, receiver, returns) => {
                let of = receiver.as_deref().or(returns)?;
                self.types().any(|t| t.name == of).then(|| of.to_string())
            }
        };
        let of = |title: &str| -> Vec<&Entry> {
            let title = (title != FUNCTIONS).then_some(title);
            let called = |entry: &&Entry| !matches!(entry.kind, Kind::Type | Kind::Module);
            let here = |entry: &&Entry| home(entry).as_deref() == title;
            own().filter(called).filter(here).collect()
        };
        let mut sections = vec![Section {
            title: FUNCTIONS,
            about: "",
            import: None,
            entries: of(FUNCTIONS),
        }];
        for kind in [Kind::Type, Kind::Module] {
            let titled = own().filter(|entry| entry.kind == kind);
            sections.extend(titled.map(|entry| Section {
                title: &entry.name,
                about: &entry.doc,
                import: entry.signatures.first().map(String::as_str),
                entries: of(&entry.name),
            }));
        }
        sections.retain(|section| !section.entries.is_empty());
        sections
    }

    /// The reference as a Markdown file with a table of contents.
    pub fn markdown(&self) -> String {
        let sections = self.sections();
        let (mut contents, mut body) = (String::new(), String::new());
        let mut anchors = Anchors::default();
        for heading in ["Reference", "Contents"] {
            anchors.next(heading);
        }
        for section in &sections {
            let _ = write!(
                contents,
                "- [{0}](#{1}): ",
                section.title,
                anchors.next(section.title)
            );
            let _ = write!(body, "\n## {}\n", section.title);
            if let Some(import) = section.import {
                let _ = write!(body, "\n```rhai\n{import}\n```\n");
            }
            if !section.about.is_empty() {
                let _ = write!(body, "\n{}\n", lines(section.about));
            }
            let mut links = Vec::new();
            for entry in &section.entries {
                let (name, signatures) = (entry.qualified(), entry.signatures.join("\n"));
                links.push(format!("[`{}`](#{})", entry.name, anchors.next(&name)));
                let _ = write!(body, "\n### {name}\n\n```text\n{signatures}\n```\n");
                if !entry.doc.is_empty() {
                    let _ = write!(body, "\n{}\n", entry.doc);
                }
            }
            let _ = writeln!(contents, "{}", links.join(", "));
        }
        format!("{HEAD}{contents}{body}")
    }
}

/// `about` with the fields of a recipe's header on lines of their own.
fn lines(about: &str) -> String {
    let fields = FIELDS.iter().skip(2);
    fields.fold(about.to_string(), |text, field| {
        text.replace(&format!("\n{field}: "), &format!("\\\n{field}: "))
    })
}

/// The addresses that GitHub gives headings: equal ones are numbered in the order of the document.
#[derive(Default)]
struct Anchors(BTreeMap<String, usize>);

impl Anchors {
    /// The address of the next heading.
    fn next(&mut self, heading: &str) -> String {
        let kept = heading.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
            _ => None,
        });
        let anchor: String = kept.collect();
        let before = self.0.entry(anchor.clone()).or_default();
        *before += 1;
        match *before {
            1 => anchor,
            n => format!("{anchor}-{}", n - 1),
        }
    }
}

/// What stands above everything.
const HEAD: &str = "\
<!-- Made by `nas-script doc --markdown`; do not edit. The texts are the doc comments of src/script and stdlib. -->

# Reference

Everything that a script can call besides [Rhai](https://rhai.rs/book) itself. `any` is a value of any type; what follows
`->` is the type of the result. At the prompt, `:doc NAME` shows an entry; in a shell, `nas-script doc NAME`.

## Contents

";
