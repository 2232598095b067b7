//! A recipe's file out of a git repository, by the command `git`. Nothing is checked out: no hook, filter, link or
//! submodule of the repository has any effect; its scripts are read as the blobs that they are.

use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use tempfile::TempDir;

use super::text::plain;
use super::{MOST, text};
use crate::error::{Error, Result};

/// The most scripts of a repository.
const SCRIPTS: usize = 256;

/// A repository, and which of its files is meant: `https://host/repo.git#folder/recipe.rhai`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its address, `https://…` or `file://…`.
    url: String,
    /// The branch or tag, given as `?rev=NAME`; none for the one that the repository names.
    rev: Option<String>,
    /// The file, given as `#PATH`; none for the only script there is.
    file: Option<String>,
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self> {
        let (given, file) = split(given, "#");
        let (url, rev) = split(given, "?rev=");
        let named = |rev: &String| {
            let letter = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
            !rev.starts_with('-') && rev.chars().all(letter)
        };
        let known = url.starts_with("https://") || url.starts_with("file://");
        if !known || url.contains(char::is_whitespace) || !rev.iter().all(named) {
            let expected = "git+https://… or git+file://…, with ?rev=BRANCH and #FILE if need be";
            return Err(Error::invalid(
                "recipe",
                expected,
                format!("\"git+{}\"", plain(given)),
            ));
        }
        Ok(Self {
            url: url.into(),
            rev,
            file,
        })
    }
}

/// What stands before and after `mark`.
fn split<'a>(text: &'a str, mark: &str) -> (&'a str, Option<String>) {
    let (before, after) = text.split_once(mark).unzip();
    let after: Option<&str> = after;
    (before.unwrap_or(text), after.map(str::to_string))
}

impl Repository {
    /// The address of one of its files.
    pub fn of(&self, file: &Path) -> String {
        let file = Some(file.display().to_string());
        Self {
            file,
            ..self.clone()
        }
        .to_string()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url)?;
        self.rev
            .iter()
            .try_for_each(|rev| write!(f, "?rev={rev}"))?;
        self.file.iter().try_for_each(|file| write!(f, "#{file}"))
    }
}

/// The scripts of a repository.
pub struct Checkout {
    /// Where they are.
    pub folder: TempDir,
    /// The one that is meant, below the folder.
    pub file: PathBuf,
    /// The commit.
    pub commit: String,
}

/// Gets the scripts of `repository`.
///
/// # Errors
/// [`Error::Download`] where git fails; [`Error::Invalid`] where it is not clear which script is meant.
pub fn fetch(repository: &Repository) -> Result<Checkout> {
    let made = |error| Error::io("create a folder in", std::env::temp_dir())(error);
    let (clone, folder) = (
        tempfile::tempdir().map_err(made)?,
        tempfile::tempdir().map_err(made)?,
    );
    let git = Git {
        folder: clone.path(),
        url: &repository.url,
    };
    let mut arguments = vec![
        "clone",
        "--quiet",
        "--bare",
        "--template=",
        "--depth=1",
        "--no-tags",
        "--single-branch",
    ];
    if let Some(rev) = &repository.rev {
        arguments.extend(["--branch", rev]);
    }
    arguments.extend(["--", &repository.url, "."]);
    git.run(&arguments)?;
    let commit = git.text(&["rev-parse", "HEAD"])?.trim().to_string();
    let mut scripts = Vec::new();
    for (blob, size, path) in listed(&git.text(&["ls-tree", "-r", "-z", "-l", "HEAD"])?) {
        let wanted = repository.file.as_ref().is_some_and(|file| *file == path);
        if size > MOST {
            match wanted {
                true => return Err(text::too_long(&path)),
                false => continue,
            }
        }
        if scripts.len() == SCRIPTS {
            let expected = format!("at most {SCRIPTS} scripts");
            return Err(Error::invalid(repository.to_string(), expected, "more"));
        }
        let place = folder.path().join(&path);
        let above = place.parent().unwrap_or(folder.path());
        fs::create_dir_all(above).map_err(Error::io("create", above))?;
        let content = git.run(&["cat-file", "blob", &blob])?;
        fs::write(&place, content).map_err(Error::io("write", &place))?;
        scripts.push(path);
    }
    let file = chosen(repository, scripts)?.into();
    Ok(Checkout {
        folder,
        file,
        commit,
    })
}

/// The scripts of `git ls-tree -r -z -l` that are plain files under plain names: blob, size and path.
fn listed(tree: &str) -> impl Iterator<Item = (String, u64, String)> {
    tree.split('\0').filter_map(|line| {
        let (about, path) = line.split_once('\t')?;
        let mut about = about.split_whitespace();
        let (mode, kind, blob, size) = (about.next()?, about.next()?, about.next()?, about.next()?);
        // Links (120000) and submodules (160000) are no scripts.
        let file = mode.starts_with("100") && kind == "blob" && path.ends_with(".rhai");
        let inside = |part| matches!(part, Component::Normal(_));
        let plain = Path::new(path).components().all(inside) && !path.contains(['\\', ':']);
        (file && plain).then(|| Some((blob.into(), size.parse().ok()?, path.into())))?
    })
}

/// The script that is meant.
fn chosen(repository: &Repository, mut scripts: Vec<String>) -> Result<String> {
    let what = format!("git+{repository}");
    let known = scripts
        .iter()
        .map(|path| plain(path))
        .collect::<Vec<_>>()
        .join(", ");
    match &repository.file {
        Some(file) if scripts.contains(file) => Ok(file.clone()),
        Some(_) if scripts.is_empty() => Err(Error::invalid(
            what,
            "a file of the repository",
            "no script at all",
        )),
        Some(_) => Err(Error::invalid(
            what,
            "a file of the repository",
            format!("only {known}"),
        )),
        None if scripts.len() == 1 => Ok(scripts.remove(0)),
        None if scripts.is_empty() => Err(Error::invalid(what, "a script (*.rhai)", "none")),
        None => Err(Error::invalid(what, "#FILE, one of several scripts", known)),
    }
}

/// The command `git`, in a folder of its own, on its way to `url`.
struct Git<'a> {
    folder: &'a Path,
    url: &'a str,
}

impl Git<'_> {
    fn text(&self, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.run(arguments)?).into_owned())
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let failed = |reason: String| Error::Download {
            url: self.url.into(),
            reason,
        };
        let scheme = self.url.split(':').next().unwrap_or_default();
        let mut command = Command::new("git");
        command
            .current_dir(self.folder)
            .args(arguments)
            .stdin(Stdio::null());
        // A git that runs nas-script, such as one of its hooks, says which repository it means; that is another one.
        let own = std::env::vars_os().map(|(name, _)| name);
        for name in own.filter(|name| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        let settings = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("submodule.recurse", "false"),
            ("http.followRedirects", "initial"),
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "30"),
            ("transfer.fsckObjects", "true"),
            ("gc.auto", "0"),
        ];
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (number, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        let output = command
            .env("GIT_ALLOW_PROTOCOL", scheme)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .output()
            .map_err(|error| failed(format!("the command git cannot be run: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // What follows the first complaint is advice.
        let complaint = said.lines().find(|line| line.starts_with("fatal:"));
        let last = || said.lines().rev().find(|line| !line.trim().is_empty());
        Err(failed(format!(
            "git: {}",
            plain(complaint.or_else(last).unwrap_or("no reason given"))
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_branch_and_a_file() {
        let repository: Repository = "https://host/a.git?rev=v1#lib/b.rhai".parse().unwrap();
        assert_eq!(repository.url, "https://host/a.git");
        assert_eq!(repository.rev.as_deref(), Some("v1"));
        assert_eq!(repository.file.as_deref(), Some("lib/b.rhai"));
        assert_eq!(
            repository.to_string(),
            "https://host/a.git?rev=v1#lib/b.rhai"
        );
        for refused in [
            "ssh://host/a",
            "ext::sh -c evil",
            "--upload-pack=evil",
            "https://a?rev=--evil",
            "git@host:a",
        ] {
            assert!(refused.parse::<Repository>().is_err(), "{refused}");
        }
    }

    #[test]
    fn only_plain_scripts_are_taken_from_a_tree() {
        let tree = "100644 blob aa 12\ta.rhai\x00120000 blob bb 9\tlink.rhai\x00160000 commit cc -\tsub.rhai\x00\
                    100644 blob dd 5\tREADME.md\x00100755 blob ee 7\tlib/b.rhai\x00100644 blob ff 7\t../c.rhai\x00";
        let paths: Vec<String> = listed(tree).map(|(_, _, path)| path).collect();
        assert_eq!(paths, ["a.rhai", "lib/b.rhai"]);
    }
}
