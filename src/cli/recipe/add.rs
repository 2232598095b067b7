//! `nas-script recipe add SOURCE`: a stranger's recipe comes into the user's folder, if the user agrees. Nothing of it
//! is run.

use std::io::{IsTerminal, Write};

use super::subject::{Found, Subject};
use super::{Folder, failed};
use crate::cli::{Ending, FAILED};
use crate::error::{Error, Result};
use crate::evaluation::Digest;
use crate::recipe::{self, Added, Fetched, Origin, Pack, Shelf};
use crate::report::progress::{say, warn};
use crate::script::{self, Bundler, Finder, Limits, Sources};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A file, https://…, or git+https://…[?rev=BRANCH][#FILE].
    source: Origin,
    /// The name to import it by [default: the file's].
    #[arg(long)]
    name: Option<String>,
    /// The SHA-256 that the file must have.
    #[arg(long, value_name = "HEX")]
    sha256: Option<Digest>,
    /// Add it without a question.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn add(arguments: &Arguments) -> Result<(), Ending> {
    let folder = arguments.folder.path()?;
    let fetched = recipe::fetch(&arguments.source)?;
    let found = Digest::of_bytes(fetched.text.as_bytes());
    if let Some(wanted) = arguments.sha256.filter(|wanted| *wanted != found) {
        let expected = format!("the SHA-256 {wanted}");
        return Err(Error::invalid(arguments.source.to_string(), expected, found).into());
    }
    let name = arguments.name.as_ref().unwrap_or(&fetched.name);
    recipe::check_name(name)?;

    let text = whole(&fetched, name, &folder)?;
    let shelf = Shelf::at(&folder);
    let subject = Subject::of(&Found {
        path: fetched.path.clone(),
        text: text.clone(),
        from: fetched.from.clone(),
    })?;
    say(&subject.to_string());
    let digest = Digest::of_bytes(text.as_bytes());
    if let Some(before) = shelf.entry(name)?.filter(|before| before.sha256 != digest) {
        let (before, from) = (before.sha256.short(), recipe::plain(&before.from));
        warn(&format!(
            "'{name}' is {before} from {from} now; this one would take its place"
        ));
    }
    if !arguments.yes && !agreed(name)? {
        warn("nothing was added");
        return Err(Ending::Told(FAILED));
    }
    let short = digest.short();
    say(&match shelf.add(name, &text, &fetched.from)? {
        Added::New => format!(
            "added {name} ({short}): import \"{name}\" as {};",
            alias(name)
        ),
        Added::Same => format!("{name} ({short}) was there already"),
        Added::Changed(before) => format!("{name} is {short} now, in place of {}", before.short()),
    });
    Ok(())
}

/// The text to keep: with what it imports from beside it, so that it needs nothing but the standard library.
fn whole(fetched: &Fetched, name: &str, folder: &std::path::Path) -> Result<String, Ending> {
    let sources = Sources::default();
    let finder = Finder {
        folder: fetched.folder.clone(),
        recipes: vec![folder.to_path_buf()],
        most: Limits::default().source_size,
        sources: sources.clone(),
    };
    let packed = Pack::of(&fetched.path, &fetched.text)?;
    let script = packed.as_ref().map_or(&fetched.text, |pack| &pack.text);
    // The modules of a pack are found by content before all others.
    let known = script::parse(&sources, &fetched.path, &fetched.text);
    known.map_err(|diagnostic| failed(diagnostic, &sources))?;
    let bundled = Bundler::new(finder).bundle(&fetched.path, script);
    let (text, modules) = bundled.map_err(|diagnostic| failed(diagnostic, &sources))?;
    if packed.is_some() || modules.is_empty() {
        return Ok(fetched.text.clone());
    }
    Ok(Pack::new(name, text, modules, script::library_digest()).write())
}

/// Whether the user wants the recipe.
fn agreed(name: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        let expected = "--yes, where nobody can be asked";
        return Err(Error::invalid("recipe add", expected, "no terminal"));
    }
    let mut out = std::io::stdout();
    let asked = write!(out, "add it as '{name}'? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    read.map_err(Error::io("read", "standard input"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A name that a script can give the module.
fn alias(name: &str) -> String {
    name.replace('-', "_")
}
