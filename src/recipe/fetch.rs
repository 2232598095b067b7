//! Where recipes come from: a file, an address on the web, a git repository. What comes is read and never run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tempfile::TempDir;
use ureq::Agent;
use ureq::http::Uri;

use super::git::{self, Repository};
use super::{MOST, text};
use crate::error::{Error, Result};

/// Where a recipe is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of this machine.
    File(PathBuf),
    /// An address that begins with `https://`, or `http://` on this machine.
    Web(String),
    /// A git repository.
    Git(Repository),
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self> {
        if let Some(repository) = given.strip_prefix("git+") {
            return Ok(Self::Git(repository.parse()?));
        }
        if let Some(path) = given.strip_prefix("file://") {
            return Ok(Self::File(path.into()));
        }
        let Some((scheme, _)) = given.split_once("://") else {
            return Ok(Self::File(given.into()));
        };
        let host = given.parse::<Uri>().ok();
        let host = host.as_ref().and_then(Uri::host).unwrap_or_default();
        let here = ["127.0.0.1", "localhost", "[::1]"].contains(&host);
        match scheme {
            "https" if !host.is_empty() => Ok(Self::Web(given.into())),
            // Nobody else can change what comes from this machine on its way.
            "http" if here => Ok(Self::Web(given.into())),
            _ => {
                let expected = "a path, https://…, file://…, git+https://… or git+file://…";
                Err(Error::invalid("recipe", expected, format!("{given:?}")))
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Web(url) => write!(f, "{url}"),
            Self::Git(repository) => write!(f, "git+{repository}"),
        }
    }
}

/// A recipe as it came.
pub struct Fetched {
    /// Its text.
    pub text: String,
    /// Its name, if nobody gives another: the file's without its ending.
    pub name: String,
    /// Where it came from; of a repository with the commit.
    pub from: String,
    /// The file, for messages.
    pub path: PathBuf,
    /// The folder that its imports may lie in, for as long as this lives.
    pub folder: Option<PathBuf>,
    _kept: Option<TempDir>,
}

/// Gets the recipe at `origin`.
///
/// # Errors
/// [`Error::Io`], [`Error::Download`] and [`Error::Invalid`], the latter for what is no text that can be shown too.
pub fn fetch(origin: &Origin) -> Result<Fetched> {
    match origin {
        Origin::File(path) => {
            let whole = std::path::absolute(path).map_err(Error::io("find", path))?;
            Ok(Fetched {
                text: text::read(path)?,
                name: stem(path),
                from: whole.display().to_string(),
                folder: whole.parent().map(Path::to_path_buf),
                path: path.clone(),
                _kept: None,
            })
        }
        Origin::Web(url) => {
            let path = url.split(['?', '#']).next().unwrap_or(url);
            Ok(Fetched {
                text: download(url)?,
                name: stem(Path::new(path)),
                from: url.clone(),
                folder: None,
                path: url.into(),
                _kept: None,
            })
        }
        Origin::Git(repository) => {
            let git::Checkout {
                folder,
                file,
                commit,
            } = git::fetch(repository)?;
            let path = folder.path().join(&file);
            Ok(Fetched {
                text: text::read(&path)?,
                name: stem(&file),
                from: format!("git+{} at {commit}", repository.of(&file)),
                folder: path.parent().map(Path::to_path_buf),
                path: file,
                _kept: Some(folder),
            })
        }
    }
}

fn stem(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    // A pack that is called `mine.packed.rhai` is `mine`.
    name.strip_suffix(".packed").unwrap_or(&name).to_string()
}

/// Connecting, and each wait for more bytes, may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// The whole download may take this long.
const AT_MOST: Duration = Duration::from_secs(120);

fn download(url: &str) -> Result<String> {
    let failed = |reason: String| Error::Download {
        url: url.into(),
        reason,
    };
    let secure = url.starts_with("https://");
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(secure)
        // What is asked of this machine is not to lead elsewhere.
        .max_redirects(if secure { 5 } else { 0 })
        .max_redirects_will_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .timeout_global(Some(AT_MOST))
        .build()
        .into();
    let mut response = agent.get(url).call().map_err(|e| failed(e.to_string()))?;
    if !response.status().is_success() {
        return Err(failed(format!("the server answered {}", response.status())));
    }
    let body = response.body_mut().with_config().limit(MOST);
    let bytes = body.read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => failed(text::too_long("recipe").to_string()),
        other => failed(other.to_string()),
    })?;
    text::sound(url, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_told_apart_by_how_they_begin() {
        let origin = |text: &str| text.parse::<Origin>();
        assert_eq!(
            origin("lib/a.rhai").unwrap(),
            Origin::File("lib/a.rhai".into())
        );
        assert_eq!(
            origin("file:///lib/a.rhai").unwrap(),
            Origin::File("/lib/a.rhai".into())
        );
        let url = "https://example.org/a.rhai?raw=1";
        assert_eq!(origin(url).unwrap(), Origin::Web(url.into()));
        assert!(matches!(
            origin("http://127.0.0.1:80/a.rhai"),
            Ok(Origin::Web(_))
        ));
        for refused in [
            "http://example.org/a.rhai",
            "ftp://example.org/a.rhai",
            "https://",
            "ssh://x/y",
        ] {
            let error = origin(refused).unwrap_err().to_string();
            assert!(error.contains("https://…"), "{refused}: {error}");
        }
    }
}
