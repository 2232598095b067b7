//! The one error type of the library. Knows no other room; how an error is shown is `cli/`'s and
//! `script/`'s business.

use std::path::{Path, PathBuf};

/// What every fallible function of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong outside the training of a child (that is a
/// [`Failure`](crate::evaluation::Failure), which a search survives).
///
/// Each message says what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value is outside what its place accepts.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// The place of the value, such as an option's name.
        what: String,
        /// What the place accepts.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A name that is not one of a known set.
    #[error("unknown {kind} '{name}'{}", suggestion(name, known))]
    Unknown {
        /// The kind of thing that was named, such as "state" or "option".
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A name that is taken already.
    #[error("duplicate {kind} '{name}': each {kind} needs its own name")]
    Duplicate {
        /// The kind of thing that was named.
        kind: &'static str,
        /// The name as given.
        name: String,
    },
    /// An operation whose input has a shape it cannot take.
    #[error("{op}: {message}")]
    Shape {
        /// The operation's script name.
        op: &'static str,
        /// What does not fit.
        message: String,
    },
    /// A data set that is not on this machine.
    #[error(
        "data set '{name}' not found: looked for {wanted} in {}; {hint}",
        list(looked)
    )]
    DataMissing {
        /// The data set's name.
        name: String,
        /// The file or folder that was looked for.
        wanted: String,
        /// The folders that were searched.
        looked: Vec<PathBuf>,
        /// How to get it.
        hint: String,
    },
    /// A data file whose content is not what its format says.
    #[error("{}{}: expected {expected}, found {found}", path.display(), record.map(|r| format!(", record {r}")).unwrap_or_default())]
    DataCorrupt {
        /// The file.
        path: PathBuf,
        /// The number of the offending record, counted from 0.
        record: Option<usize>,
        /// What the format asks for.
        expected: String,
        /// What the file holds.
        found: String,
    },
    /// A compute device that cannot be used.
    #[error("device '{asked}' is not available: {reason}; available: {}", available.join(", "))]
    Device {
        /// The device as asked for.
        asked: String,
        /// Why it cannot be used.
        reason: String,
        /// The devices that can.
        available: Vec<String>,
    },
    /// A download that failed.
    #[error("cannot download {url}: {reason}")]
    Download {
        /// The source.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// A server of other people's that is not there or refuses.
    #[error("{url}: {reason}")]
    Service {
        /// Its address.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// A saved file that does not fit what it is loaded into.
    #[error("{}: {reason}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb: "read", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// A store of studies that cannot be used, or refused something for good.
    #[error("store {store}: {reason}")]
    Store {
        /// The store's address, without secrets.
        store: String,
        /// What went wrong.
        reason: String,
    },
    /// A study that another living process works on.
    #[error("study '{study}' is in use: {holder}")]
    Busy {
        /// The study's name.
        study: String,
        /// Who has it, and what can be done.
        holder: String,
    },
    /// A study that another process has taken over meanwhile.
    #[error("study '{study}' was taken over by another process; this one stops")]
    Taken {
        /// The study's name.
        study: String,
    },
    /// A script that asks for something else than what its study recorded.
    #[error("diverged at {place}: recorded {recorded}, asked {asked}")]
    Diverged {
        /// Where, such as "trial 7".
        place: String,
        /// What the study has there.
        recorded: String,
        /// What the script asks now.
        asked: String,
    },
    /// More than the sandbox lets a script have.
    #[error("{what}: at most {most} (limit '{name}', which --limits FILE sets), found {found}")]
    Limit {
        /// What there is too much of.
        what: String,
        /// The limit's name.
        name: &'static str,
        /// The limit.
        most: u64,
        /// What was asked for.
        found: u64,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Builds [`Error::Invalid`].
    pub fn invalid(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Invalid {
            what: what.into(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    /// Builds [`Error::Unknown`].
    pub fn unknown<S: Into<String>>(
        kind: &'static str,
        name: impl Into<String>,
        known: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::Unknown {
            kind,
            name: name.into(),
            known: known.into_iter().map(Into::into).collect(),
        }
    }

    /// Builds [`Error::Shape`].
    pub fn shape(op: &'static str, message: impl Into<String>) -> Self {
        Self::Shape {
            op,
            message: message.into(),
        }
    }

    /// Returns a closure for `map_err` that builds [`Error::Io`].
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// The kind as scripts see it in `err.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::Unknown { .. } => "unknown",
            Self::Duplicate { .. } => "duplicate",
            Self::Shape { .. } => "shape",
            Self::DataMissing { .. } => "data_missing",
            Self::DataCorrupt { .. } => "data_corrupt",
            Self::Device { .. } => "device",
            Self::Download { .. } => "download",
            Self::Service { .. } => "service",
            Self::Snapshot { .. } => "snapshot",
            Self::Io { .. } => "io",
            Self::Store { .. } => "store",
            Self::Busy { .. } => "busy",
            Self::Taken { .. } => "taken",
            Self::Diverged { .. } => "diverged",
            Self::Limit { .. } => "limit",
            Self::Interrupted => "interrupted",
        }
    }
}

/// "; did you mean 'x'?" where a known name is close, else "; known: a, b".
fn suggestion(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean '{near}'?"),
        None if known.is_empty() => String::new(),
        None => format!("; known: {}", known.join(", ")),
    }
}

/// The longest name that is compared with others, in bytes.
const LONGEST_NAME: usize = 100;

/// The known name that is closest to `name`, if any is close enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison takes memory and time with the length: no slip is so long.
    if name.len() > LONGEST_NAME {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        // What has no letter in common is no slip.
        .filter(|(distance, candidate)| {
            let longer = candidate.len().max(name.len());
            *distance <= longer.div_ceil(3) && *distance < longer
        })
        // Of equally near ones that with the same first letter: slips are seldom there.
        .min_by_key(|(distance, candidate)| (*distance, candidate.get(..1) != name.get(..1)))
        .map(|(_, candidate)| candidate)
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    paths.join(", ")
}
