//! `nas-script doc`: what a script can call, from the doc comments of the bindings and the standard library.

use crate::error::{Error, Result};
use crate::report::progress::say;
use crate::script::{Entry, Kind, Reference, listed, prose};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A name, such as `conv2d`, `StateSpace`, `StateSpace.add_state`, `nas/darts`, `darts::space` or an option; none lists
    /// all.
    name: Option<String>,
    /// Print the whole reference as Markdown, as docs/reference.md has it.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

pub(super) fn show(arguments: &Arguments) -> Result<()> {
    let reference = Reference::get();
    match &arguments.name {
        _ if arguments.markdown => say(reference.markdown().trim_end()),
        Some(name) => say(entries(reference, name)?.trim_end()),
        None => say(contents(reference).trim_end()),
    }
    Ok(())
}

/// The entries that `name` means, as text; of a type or a module with what belongs to it.
fn entries(reference: &Reference, name: &str) -> Result<String> {
    let mut found = reference.find(name);
    // The language's own say nothing of some operators; where there is more to say, that is enough.
    if found.iter().any(|entry| !entry.doc.is_empty()) {
        found.retain(|entry| !entry.doc.is_empty());
    }
    let options = options(reference, name).or_else(|| group(reference, name));
    if found.is_empty() && options.is_none() {
        let near = reference.nearest(name).map(|near| {
            // What stood before the last part stays, where there is such a name.
            let before = name.rfind("::").map(|at| at + 2);
            let before = before.or_else(|| name.rfind('.').map(|at| at + 1));
            let whole = format!("{}{near}", &name[..before.unwrap_or(0)]);
            let known = !reference.find(&whole).is_empty();
            if known { whole } else { near.to_string() }
        });
        return Err(match near {
            Some(near) => Error::unknown("name", name, [near.as_str()]),
            None => {
                let found = format!("'{name}'");
                Error::invalid("NAME", "a name that `nas-script doc` lists", found)
            }
        });
    }
    let sections = reference.sections();
    let below = |entry: &Entry| match entry.kind {
        Kind::Type | Kind::Module => {
            let own = sections.iter().find(|section| section.title == entry.name);
            own.map_or(String::new(), |own| format!("\n{}", listed(&own.entries)))
        }
        _ => String::new(),
    };
    let shown = found.iter().map(|entry| format!("{entry}{}", below(entry)));
    Ok(shown.chain(options).collect::<Vec<_>>().join("\n"))
}

/// What `name` is as an option, if it is one: who takes it, and what it does there.
fn options(reference: &Reference, name: &str) -> Option<String> {
    let mut about: Vec<(String, Vec<String>)> = Vec::new();
    for (entry, text) in reference.taking(name) {
        let text = text.unwrap_or_default();
        match about.iter_mut().find(|(same, _)| *same == text) {
            Some((_, takers)) => takers.push(entry.qualified()),
            None => about.push((text, vec![entry.qualified()])),
        }
    }
    let shown = about.iter().map(|(text, takers)| {
        let takers = format!("option '{name}' of {}", takers.join(", "));
        let what = text.trim_start_matches(&format!("- `{name}`"));
        format!("{takers}\n{}", prose(what.trim_start_matches(':')))
    });
    (!about.is_empty()).then(|| shown.collect::<Vec<_>>().join("\n"))
}

/// What has no entry of its own: the language's types and words, and the folders of modules.
fn group(reference: &Reference, name: &str) -> Option<String> {
    let modules = format!("{}/", name.trim_end_matches('/'));
    let modules = reference
        .all()
        .filter(|entry| entry.name.starts_with(&modules));
    let modules: Vec<&Entry> = modules.filter(|entry| entry.kind == Kind::Module).collect();
    let methods = reference.methods(name);
    let members = if modules.is_empty() { methods } else { modules };
    if !members.is_empty() && reference.find(name).is_empty() {
        return Some(format!("{name}\n{}", listed(&members)));
    }
    WORDS.contains(&name).then(|| {
        format!("{name}\n    A word of the language itself: https://rhai.rs/book/language/keywords.html\n")
    })
}

/// The words of the language.
const WORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "if", "import", "in", "let", "loop", "private", "return", "switch", "this", "throw", "true",
    "try", "until", "while",
];

/// Everything by what it belongs to, a line each.
fn contents(reference: &Reference) -> String {
    let sections = reference.sections().into_iter();
    let text = sections.map(|section| format!("{}\n{}", section.title, listed(&section.entries)));
    text.collect::<Vec<_>>().join("\n")
}
