//! One file from the web: resumed where it was cut, checked before it gets its name. Knows nothing
//! of data sets.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::raw::hex;
use crate::error::{Error, Result};

/// A file on the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address.
    pub url: String,
    /// The name that the file gets.
    pub file: String,
    /// The SHA-256 of the content in lower-case hex; `None` where none is known, so that nothing is
    /// checked before the file is read.
    pub sha256: Option<String>,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// The bytes that are here, those of an earlier try included.
    pub received: u64,
    /// The size of the file in bytes, where the server tells.
    pub total: Option<u64>,
}

/// Connecting, and each wait for more bytes, may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
const CHUNK: usize = 64 * 1024;

/// Downloads `source` into the folder `dir`, and returns the path of the file.
///
/// The bytes go to `<file>.part`; a later call asks the server for the rest of it. Only a complete
/// file with the right hash gets its name. A file that is there already is not downloaded again.
///
/// # Errors
/// [`Error::Download`] where the server refuses, the connection breaks (the part is kept), or the
/// hash is wrong (the part is removed); [`Error::Io`] where a file cannot be written.
pub fn download(
    source: &Source,
    dir: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let path = dir.join(&source.file);
    if path.is_file() && mismatch(source, &path)?.is_none() {
        return Ok(path);
    }
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let part = dir.join(format!("{}.part", source.file));
    receive(source, &part, progress)?;
    if let Some(reason) = mismatch(source, &part)? {
        remove(&part)?;
        return Err(failed(source, &reason));
    }
    std::fs::rename(&part, &path).map_err(Error::io("rename", &part))?;
    Ok(path)
}

/// Fills the file `part` up to the end of `source`.
fn receive(source: &Source, part: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
    let had = part.metadata().map_or(0, |meta| meta.len());
    let mut response = request(source, had)?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        if source.sha256.is_some() && mismatch(source, part)?.is_none() {
            return Ok(()); // It was complete, but not yet renamed.
        }
        remove(part)?;
        response = request(source, 0)?;
    }
    let start = match response.status() {
        StatusCode::OK => 0, // All of it: either that was asked for, or ranges are not served.
        StatusCode::PARTIAL_CONTENT if starts_at(&response, had) => had,
        StatusCode::PARTIAL_CONTENT => {
            return Err(failed(source, &"the server answered with another range"));
        }
        status => return Err(failed(source, &format!("the server answered {status}"))),
    };
    let total = response.body().content_length().map(|n| n + start);
    let mut file = open(part, start)?;
    let mut received = start;
    let mut body = response.body_mut().as_reader();
    let mut chunk = vec![0; CHUNK];
    let end = loop {
        progress(Progress {
            file: &source.file,
            received,
            total,
        });
        match body.read(&mut chunk) {
            Ok(0) => break None,
            Ok(n) => {
                let written = file.write_all(&chunk[..n]);
                written.map_err(Error::io("write", part))?;
                received += n as u64;
            }
            Err(e) => break Some(e.to_string()),
        }
    };
    file.sync_all().map_err(Error::io("write", part))?;
    let short = total.is_some_and(|total| received < total);
    match end.or(short.then(|| "the connection was closed".into())) {
        None => Ok(()),
        Some(reason) => {
            let of = total.map(|n| format!(" of {n}")).unwrap_or_default();
            let kept = "they are kept, and the same command will resume from there";
            let reason = format!("{reason} after {received}{of} bytes; {kept}");
            Err(failed(source, &reason))
        }
    }
}

/// Asks for `source` from byte `start` on. Any status is an answer.
fn request(source: &Source, start: u64) -> Result<Response<Body>> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        // The hash is that of the file as published: it must not be unpacked on the way.
        .accept_encoding("identity")
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build()
        .into();
    let mut request = agent.get(&source.url);
    if start > 0 {
        request = request.header(header::RANGE, format!("bytes={start}-"));
    }
    request.call().map_err(|e| failed(source, &e))
}

fn starts_at(response: &Response<Body>, start: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE);
    let range = range.and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}

/// Opens `part` for writing behind its first `start` bytes.
fn open(part: &Path, start: u64) -> Result<File> {
    let mut options = OpenOptions::new();
    let options = match start {
        0 => options.write(true).create(true).truncate(true),
        _ => options.append(true),
    };
    options.open(part).map_err(Error::io("write", part))
}

fn remove(part: &Path) -> Result<()> {
    std::fs::remove_file(part).map_err(Error::io("remove", part))
}

fn failed(source: &Source, reason: &dyn ToString) -> Error {
    Error::Download {
        url: source.url.clone(),
        reason: reason.to_string(),
    }
}

/// What is wrong with the hash of the file at `path`, if anything.
fn mismatch(source: &Source, path: &Path) -> Result<Option<String>> {
    let Some(expected) = &source.sha256 else {
        return Ok(None);
    };
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk).map_err(Error::io("read", path))? {
            0 => break,
            n => hash.update(&chunk[..n]),
        }
    }
    let found = hex(&hash.finalize());
    Ok((found != *expected)
        .then(|| format!("expected SHA-256 {expected}, found {found}; the download was removed")))
}
