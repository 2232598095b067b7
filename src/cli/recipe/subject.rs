//! The recipe that a subcommand is about: its text, what it says of itself, what it offers and what it asks for.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Folder, failed};
use crate::cli::Ending;
use crate::error::{Error, Result};
use crate::evaluation::Digest;
use crate::recipe::{self, Lock, Pack, Shelf, plain};
use crate::script::{self, Function, Header, Outline, Sources};

/// A recipe that was found, but not looked into.
pub(super) struct Found {
    /// The file or the module's name, for messages.
    pub path: PathBuf,
    pub text: String,
    /// Where it came from.
    pub from: String,
}

impl Found {
    /// The recipe that `given` means: `nas/…`, an added one, a file in the user's folder, or any file.
    pub fn of(given: &str, folder: &Folder) -> Result<Self> {
        if given.starts_with("nas/") {
            let mut library = script::library();
            let found = library.find(|(path, _)| path == given);
            let known = || script::library().map(|(path, _)| path);
            let (path, text) = found.ok_or_else(|| Error::unknown("recipe", given, known()))?;
            return Ok(Self {
                path: path.into(),
                text: text.into(),
                from: "the standard library".into(),
            });
        }
        let file = |path: PathBuf| {
            Ok(Self {
                text: recipe::read(&path)?,
                from: path.display().to_string(),
                path,
            })
        };
        if Path::new(given).is_file() {
            return file(given.into());
        }
        let folder = folder.path()?;
        let own = folder.join(format!("{given}.rhai"));
        if recipe::check_name(given).is_ok() && own.is_file() {
            return file(own);
        }
        let shelf = Shelf::at(&folder);
        if let Some((entry, text)) = shelf.find(given)? {
            return Ok(Self {
                path: given.into(),
                text,
                from: entry.from,
            });
        }
        let library = script::library().map(|(path, _)| path);
        Err(Error::unknown(
            "recipe",
            given,
            shelf.names()?.into_iter().chain(library),
        ))
    }
}

/// A recipe that was looked into.
pub(super) struct Subject {
    pub header: Header,
    outline: Outline,
    sha256: Digest,
    from: String,
    lock: Option<Lock>,
}

impl Subject {
    /// Looks into `found`, without running it.
    pub fn of(found: &Found) -> Result<Self, Ending> {
        let sources = Sources::default();
        let outline = Outline::of(&sources, &found.path, &found.text);
        let outline = outline.map_err(|diagnostic| failed(diagnostic, &sources))?;
        let pack = Pack::of(&found.path, &found.text)?;
        if let Some(pack) = &pack {
            pack.check(&found.path)?;
        }
        Ok(Self {
            header: Header::read(&outline, &plain(&found.path.display().to_string()))?,
            outline,
            sha256: Digest::of_bytes(found.text.as_bytes()),
            from: found.from.clone(),
            lock: pack.map(|pack| pack.lock),
        })
    }
}

/// What a function is, in a line: its signature, and the first sentence of what it says.
fn signature(function: &Function) -> (String, &str) {
    let call = format!("{}({})", function.name, function.params.join(", "));
    (call, function.doc.lines().next().unwrap_or_default())
}

impl fmt::Display for Subject {
    /// All that the recipe says of itself comes from a stranger: it is made plain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            header, outline, ..
        } = self;
        writeln!(f, "{}", plain(&header.title))?;
        let sha256 = self.sha256.to_string();
        let about = [
            ("author", &header.author),
            ("licence", &header.licence),
            ("parameters", &header.parameters),
            ("needs", &header.needs),
            ("from", &self.from),
            ("sha256", &sha256),
        ];
        lines(f, about.iter().map(|(name, value)| (*name, value.as_str())))?;
        writeln!(f, "offers")?;
        let functions: Vec<_> = outline.functions.iter().map(signature).collect();
        lines(
            f,
            functions.iter().map(|(call, does)| (call.as_str(), *does)),
        )?;
        writeln!(f, "asks for")?;
        let joined = |all: Vec<String>| match all.is_empty() {
            true => "nothing".to_string(),
            false => all.join(", "),
        };
        let imports = outline.imports.iter();
        let imports =
            imports.map(|path| path.clone().unwrap_or("(what only a run can tell)".into()));
        let packed = outline.packed.iter().map(|path| format!("{path} (packed)"));
        let param = |p: &script::Declared| format!("{} = {}", p.name, p.default);
        let asks = [
            ("imports", joined(imports.chain(packed).collect())),
            (
                "host calls",
                joined(outline.calls.iter().cloned().collect()),
            ),
            ("data", joined(outline.data.iter().cloned().collect())),
            ("files", joined(outline.files.iter().cloned().collect())),
            ("-p", joined(outline.params.iter().map(param).collect())),
        ];
        lines(f, asks.iter().map(|(name, value)| (*name, value.as_str())))?;
        match self.lock.as_ref().and_then(|lock| lock.claim.as_ref()) {
            Some(claim) => {
                writeln!(f, "claims")?;
                lines(
                    f,
                    claim
                        .lines()
                        .iter()
                        .map(|(name, value)| (*name, value.as_str())),
                )
            }
            None => Ok(()),
        }
    }
}

/// Indented lines of two columns.
fn lines<'a>(
    f: &mut fmt::Formatter<'_>,
    lines: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> fmt::Result {
    let width = lines.clone().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    for (name, value) in lines {
        let line = format!("  {:<width$}  {}", plain(name), plain(value));
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
