//! Where a store is: a file of SQLite, or a database of PostgreSQL. Shows no password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};

/// The address of a store, as it is given on the command line: a path, `sqlite:PATH`, `postgres://…` or
/// `postgresql://…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Server(String),
}

impl Address {
    /// A file of SQLite.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Place::File(path.into()))
    }

    /// The folder of the children's weights, where none is given: `runs.files` beside the file `runs.db`, and
    /// `nas-studies.files` in the working folder for a server.
    pub fn files(&self) -> PathBuf {
        self.path()
            .unwrap_or(Path::new("nas-studies.db"))
            .with_extension("files")
    }

    /// Whether it is a server, which other machines can use too.
    pub fn is_server(&self) -> bool {
        self.path().is_none()
    }

    /// Whether it is a file that is not there.
    pub fn is_missing(&self) -> bool {
        self.path().is_some_and(|path| !path.exists())
    }

    /// Whether it holds a password: everybody can read the command line of a process, so an address with one
    /// does not belong there.
    pub fn has_password(&self) -> bool {
        match &self.0 {
            Place::File(_) => false,
            Place::Server(url) => *url != without_password(url),
        }
    }

    /// The file; `None` for a server.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// What the database's driver takes, password and all.
    ///
    /// # Errors
    /// [`Error::Store`] where the path of the file cannot be written as text.
    pub(super) fn url(&self) -> Result<String> {
        let path = match &self.0 {
            Place::Server(url) => return Ok(url.clone()),
            Place::File(path) => path,
        };
        let full = std::path::absolute(path).map_err(Error::io("find", path))?;
        let text = full.to_str().ok_or_else(|| Error::Store {
            store: self.to_string(),
            reason: "its path is not UTF-8".into(),
        })?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
        let escaped = text.bytes().map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02x}"),
        });
        Ok(format!("sqlite://{}?mode=rwc", escaped.collect::<String>()))
    }
}

/// The address of a server without `:password` before the host and `password=` among the parameters.
fn without_password(url: &str) -> String {
    let (place, parameters) = match url.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (url, None),
    };
    let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
    let mut plain = match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}@{host}")
        }
        None => place.to_string(),
    };
    let public = |parameter: &&str| !parameter.starts_with("password=");
    let parameters: Vec<&str> = parameters
        .iter()
        .flat_map(|all| all.split('&'))
        .filter(public)
        .collect();
    if !parameters.is_empty() {
        plain += "?";
        plain += &parameters.join("&");
    }
    plain
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(Place::Server(text.into())));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains("://") {
            let expected = "a path, sqlite:PATH or postgres://USER@HOST/DATABASE";
            let found = without_password(text);
            return Err(Error::invalid("store", expected, format!("'{found}'")));
        }
        Ok(Self::file(path))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Server(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
