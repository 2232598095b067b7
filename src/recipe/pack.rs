//! A pack: one file that holds a script with all that it imports other than the standard library.
//!
//! It is a script itself. What is packed stands below the script in comments: the [`Lock`] as JSON, then the modules.
//! Imports name their module by its content (`import "lib/conv@3fa94c2b1d0e5a77" as conv;`), so that no other text can
//! take its place, here or where the pack is imported.
//!
//! ```text
//! …the script
//! //% nas-script pack 1
//! //% { …the lock }
//! //% module lib/conv <sha256>
//! //| …the module, line by line
//! ```

use std::fmt::Write;
use std::path::Path;

use super::Lock;
use super::text::plain;
use crate::error::{Error, Result};
use crate::evaluation::Digest;

/// What opens the line that ends the script; the version of the format follows.
const MARK: &str = "//% nas-script pack ";
/// The version that is written and read.
const VERSION: &str = "1";
/// What opens a line of the lock, and the heading of a module.
const NOTE: &str = "//%";
/// What opens a line of a module.
const LINE: &str = "//|";
/// The digits of a module's SHA-256 that its import names.
const DIGITS: usize = 16;

/// A script with its modules.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// The script itself.
    pub text: String,
    /// What it was packed with, and what it claims.
    pub lock: Lock,
    /// What it imports; each stands after those that it imports itself.
    pub modules: Vec<Bundled>,
}

/// A module of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// The path that it was imported by before it was packed.
    pub path: String,
    /// The SHA-256 of its text.
    pub sha256: Digest,
    /// Its text.
    pub text: String,
}

impl Bundled {
    /// The module `text` that is imported by `path`.
    pub fn new(path: &str, text: String) -> Self {
        // A path that names a content already stands for the same one.
        let path = path.split_once('@').map_or(path, |(path, _)| path);
        Self {
            path: path.into(),
            sha256: Digest::of_bytes(text.as_bytes()),
            text,
        }
    }

    /// The path that stands for this module and no other.
    pub fn pinned(&self) -> String {
        let mut digits = self.sha256.to_string();
        digits.truncate(DIGITS);
        format!("{}@{digits}", self.path)
    }

    /// The digits of the SHA-256 that the import `path` names, if it names any.
    pub fn digits(path: &str) -> Option<&str> {
        let (_, digits) = path.split_once('@')?;
        let hex = digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        (hex && (DIGITS..=64).contains(&digits.len())).then_some(digits)
    }
}

impl Pack {
    /// Packs the script `text` of the recipe `name` with its modules, without a claim, by a program whose standard
    /// library has the SHA-256 `stdlib`.
    pub fn new(name: &str, mut text: String, modules: Vec<Bundled>, stdlib: Digest) -> Self {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self {
            lock: Lock::new(name, Digest::of_bytes(text.as_bytes()), stdlib),
            text,
            modules,
        }
    }

    /// Whether a script has no line that only packs have.
    pub fn is_plain(text: &str) -> bool {
        !text.lines().any(|line| line.starts_with(NOTE))
    }

    /// The pack that is written in `text`, which came from `path`; `None` for a plain script.
    ///
    /// # Errors
    /// [`Error::DataCorrupt`] where it is not as it was packed.
    pub fn of(path: &Path, text: &str) -> Result<Option<Self>> {
        let corrupt = |expected: &str, found: &str| Error::DataCorrupt {
            path: path.into(),
            record: None,
            expected: expected.into(),
            found: found.into(),
        };
        let Some((script, version, packed)) = split(text) else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(corrupt(
                &format!("a pack of version {VERSION}"),
                &format!("{:?}", plain(version)),
            ));
        }
        let mut lines = packed.lines().peekable();
        let mut json = String::new();
        while let Some(line) = lines.next_if(|line| !is_heading(line)) {
            let line = line.strip_prefix(NOTE);
            let line =
                line.ok_or_else(|| corrupt("a lock in lines that open with //%", "other text"))?;
            json.push_str(line);
            json.push('\n');
        }
        let lock =
            serde_json::from_str(&json).map_err(|e| corrupt("a lock", &plain(&e.to_string())))?;
        let mut modules = Vec::new();
        while let Some(heading) = lines.next() {
            let named = module_of(heading).ok_or_else(|| corrupt("a module", "other text"))?;
            let mut text = Vec::new();
            while let Some(line) = lines.next_if(|line| line.starts_with(LINE)) {
                text.push(line.strip_prefix(LINE).unwrap_or(line));
            }
            let module = Bundled::new(named.0, text.join("\n"));
            if module.sha256 != named.1 {
                let expected = format!(
                    "module '{}' with the SHA-256 {}",
                    named.0.escape_debug(),
                    named.1
                );
                return Err(corrupt(
                    &expected,
                    &format!("{}: it was changed", module.sha256),
                ));
            }
            modules.push(module);
        }
        Ok(Some(Self {
            text: script.into(),
            lock,
            modules,
        }))
    }

    /// Checks that the script is the one that was packed.
    ///
    /// # Errors
    /// [`Error::DataCorrupt`].
    pub fn check(&self, path: &Path) -> Result<()> {
        let found = Digest::of_bytes(self.text.as_bytes());
        match found == self.lock.script {
            true => Ok(()),
            false => Err(Error::DataCorrupt {
                path: path.into(),
                record: None,
                expected: format!(
                    "the script with the SHA-256 {} that was packed",
                    self.lock.script
                ),
                found: format!("{found}: it was changed"),
            }),
        }
    }

    /// The pack as one text.
    pub fn write(&self) -> String {
        let mut text = format!("{}{MARK}{VERSION}\n", self.text);
        let json = serde_json::to_string_pretty(&self.lock).unwrap_or_default();
        let mut line = |opening: &str, rest: &str| {
            let _ = writeln!(text, "{opening}{rest}");
        };
        json.lines()
            .for_each(|json| line(NOTE, &format!(" {json}")));
        for module in &self.modules {
            let Bundled { path, sha256, .. } = module;
            line(NOTE, &format!(" module {path} {sha256}"));
            module
                .text
                .split('\n')
                .for_each(|of_module| line(LINE, of_module));
        }
        text
    }
}

/// The script, the version of the pack and what stands below the mark.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let at = match text.starts_with(MARK) {
        true => 0,
        false => text.find(&format!("\n{MARK}"))? + 1,
    };
    let (script, rest) = text.split_at(at);
    let (mark, packed) = rest.split_once('\n').unwrap_or((rest, ""));
    Some((script, mark.strip_prefix(MARK)?, packed))
}

fn is_heading(line: &str) -> bool {
    line.starts_with(&format!("{NOTE} module "))
}

/// The path and the SHA-256 of a module, by its heading.
fn module_of(heading: &str) -> Option<(&str, Digest)> {
    let named = heading.strip_prefix(NOTE)?.strip_prefix(" module ")?;
    let (path, digest) = named.rsplit_once(' ')?;
    Some((path, digest.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pack() -> Pack {
        let text = "import \"lib/a@0\" as a;\nfn f() { a::g() }".to_string();
        let modules = vec![
            Bundled::new("lib/b", "fn h() {\n    1\n}".into()),
            Bundled::new("lib/a", "fn g() { 1 }\n\n".into()),
        ];
        Pack::new("mine", text, modules, Digest::of_bytes(b"stdlib"))
    }

    fn read(text: &str) -> Result<Option<Pack>> {
        Pack::of(Path::new("mine.rhai"), text)
    }

    #[test]
    fn a_pack_is_read_as_it_was_written() {
        let written = pack().write();
        let again = read(&written).unwrap().unwrap();
        assert_eq!(again, pack());
        again.check(Path::new("mine.rhai")).unwrap();
        assert_eq!(read("fn f() {}\n").unwrap(), None);
    }

    #[test]
    fn whatever_is_changed_in_a_pack_is_noticed() {
        let written = pack().write();
        for (what, other) in [
            ("    1", "    2"),
            ("//|\n", ""),
            ("//|}", "}"),
            ("\"nas_script\"", "\"nas-script\""),
            ("//% module lib/b", "//% lib/b"),
            ("pack 1", "pack 2"),
            ("//%   \"script\"", "\"script\""),
        ] {
            let changed = written.replacen(what, other, 1);
            assert_ne!(changed, written, "{what}");
            let found = read(&changed).unwrap_err();
            assert!(
                matches!(found, Error::DataCorrupt { .. }),
                "{what}: {found}"
            );
        }
        let changed = written.replacen("a::g()", "a::g() ", 1);
        let changed = read(&changed).unwrap().unwrap();
        let error = changed
            .check(Path::new("mine.rhai"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("it was changed"), "{error}");
        let cut = &written[..written.len() / 2];
        assert!(read(cut).is_err());
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(script in "[ -~\n]{0,80}", module in "(\\PC|[\n\t]){0,80}") {
            prop_assume!(Pack::is_plain(&script));
            let modules = vec![Bundled::new("lib/a", module)];
            let pack = Pack::new("mine", script, modules, Digest::of_bytes(b"stdlib"));
            prop_assert_eq!(read(&pack.write()).unwrap(), Some(pack));
        }

        #[test]
        fn any_text_is_read_or_refused(packed in "(//% |//\\||module |[a-z{}\": \n]){0,80}") {
            let _ = read(&format!("fn f() {{}}\n{MARK}{VERSION}\n{packed}"));
        }
    }

    #[test]
    fn an_import_by_content_names_enough_of_it() {
        let module = Bundled::new("lib/a@0123456789abcdef", "fn g() {}".into());
        let pinned = module.pinned();
        assert!(pinned.starts_with("lib/a@") && pinned.len() == "lib/a@".len() + DIGITS);
        assert!(
            module
                .sha256
                .to_string()
                .starts_with(Bundled::digits(&pinned).unwrap())
        );
        for path in [
            "lib/a",
            "lib/a@",
            "lib/a@abc",
            "lib/a@../../../etc/passwd",
            "a@ABCDEF0123456789",
        ] {
            assert_eq!(Bundled::digits(path), None, "{path}");
        }
    }
}
