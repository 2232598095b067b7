use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::*;
use crate::data::raw::hex;

/// How a test server answers.
#[derive(Clone, Copy, Default)]
struct Manners {
    /// Ignores the Range header.
    no_ranges: bool,
    /// Closes the connection after this many bytes of a body.
    cut: Option<usize>,
}

/// A real HTTP server on the loopback that serves `body` at every path; returns its address and the
/// log of the first bytes that were asked for.
fn serve(body: Vec<u8>, manners: Manners) -> (String, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/data", listener.local_addr().unwrap());
    let log = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&log);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines = lines.map_while(|line| line.ok().filter(|line| !line.is_empty()));
            let start = lines
                .filter_map(|line| {
                    let line = line.to_lowercase();
                    line.strip_prefix("range: bytes=")?
                        .strip_suffix('-')?
                        .parse()
                        .ok()
                })
                .last()
                .unwrap_or(0);
            asked.lock().unwrap().push(start);
            let start = if manners.no_ranges { 0 } else { start };
            let status = match start {
                0 => "200 OK".to_string(),
                n if n >= body.len() => "416 Range Not Satisfiable".to_string(),
                n => format!(
                    "206 Partial Content\r\nContent-Range: bytes {n}-{}/{}",
                    body.len() - 1,
                    body.len()
                ),
            };
            let rest = body.get(start..).unwrap_or_default();
            let length = rest.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let sent = manners.cut.unwrap_or(length).min(length);
            let _ = stream.write_all(&[head.as_bytes(), &rest[..sent]].concat());
        }
    });
    (address, log)
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * i % 251) as u8).collect()
}

fn source(url: String, content: &[u8]) -> Source {
    Source {
        url,
        file: "file.bin".into(),
        sha256: Some(hex(&Sha256::digest(content))),
    }
}

fn quiet(source: &Source, dir: &Path) -> Result<PathBuf> {
    download(source, dir, &mut |_| ())
}

#[test]
fn a_download_reports_progress_and_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let content = noise(200_000);
    let (url, log) = serve(content.clone(), Manners::default());
    let source = source(url, &content);
    let mut seen = Vec::new();
    let path = download(&source, dir.path(), &mut |p| {
        seen.push((p.received, p.total));
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(seen.first(), Some(&(0, Some(200_000))));
    assert_eq!(seen.last(), Some(&(200_000, Some(200_000))));
    assert!(seen.is_sorted());
    quiet(&source, dir.path()).unwrap();
    assert_eq!(*log.lock().unwrap(), [0]);
}

#[test]
fn a_cut_download_resumes_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let content = noise(200_000);
    let cut = Manners {
        cut: Some(80_000),
        ..Manners::default()
    };
    let (url, _) = serve(content.clone(), cut);
    let error = quiet(&source(url, &content), dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("after 80000 of 200000 bytes") && error.contains("will resume"),
        "{error}"
    );
    let part = dir.path().join("file.bin.part");
    assert_eq!(fs::metadata(&part).unwrap().len(), 80_000);
    assert!(!dir.path().join("file.bin").exists());

    let (url, log) = serve(content.clone(), Manners::default());
    let path = quiet(&source(url, &content), dir.path()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    assert_eq!(*log.lock().unwrap(), [80_000]);
    assert!(!part.exists());
}

#[test]
fn a_server_without_ranges_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let content = noise(50_000);
    fs::write(dir.path().join("file.bin.part"), &content[..20_000]).unwrap();
    let manners = Manners {
        no_ranges: true,
        ..Manners::default()
    };
    let (url, log) = serve(content.clone(), manners);
    let path = quiet(&source(url, &content), dir.path()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    assert_eq!(*log.lock().unwrap(), [20_000]);
}

#[test]
fn a_part_that_is_complete_or_too_long_is_settled() {
    let content = noise(30_000);
    let (url, log) = serve(content.clone(), Manners::default());
    for part in [content.clone(), noise(40_000)] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file.bin.part"), part).unwrap();
        let path = quiet(&source(url.clone(), &content), dir.path()).unwrap();
        assert_eq!(fs::read(path).unwrap(), content);
    }
    assert_eq!(*log.lock().unwrap(), [30_000, 40_000, 0]);
}

#[test]
fn wrong_bytes_are_refused_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let content = noise(10_000);
    let mut corrupt = content.clone();
    corrupt[5_000] ^= 1;
    let (url, _) = serve(corrupt.clone(), Manners::default());
    let source = source(url, &content);
    let error = quiet(&source, dir.path()).unwrap_err().to_string();
    let (expected, found) = (
        hex(&Sha256::digest(&content)),
        hex(&Sha256::digest(&corrupt)),
    );
    assert!(
        error.contains(&format!("expected SHA-256 {expected}, found {found}")),
        "{error}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_unreachable_server_is_an_error_that_names_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let source = source("http://127.0.0.1:1/x".into(), b"");
    let error = quiet(&source, dir.path()).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot download http://127.0.0.1:1/x: "),
        "{error}"
    );
}

#[test]
fn archives_are_unpacked_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("set.tar.gz");
    let content = noise(100_000);
    let good = tar_gz(&[("set/a.bin", &content), ("set/b.bin", b"b")]);
    let refused = |bytes: &[u8]| {
        fs::write(&archive, bytes).unwrap();
        let error = unpack(&archive, dir.path(), "set").unwrap_err().to_string();
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "only the archive"
        );
        error
    };
    assert!(refused(&good[..good.len() / 2]).contains("expected an intact file"));
    let outside = refused(&tar_gz(&[("set/a.bin", b"a"), ("set/../../evil", b"x")]));
    assert!(
        outside.ends_with("expected paths inside the archive, found set/../../evil"),
        "{outside}"
    );
    assert!(!dir.path().with_file_name("evil").exists());
    assert!(refused(&tar_gz(&[("other/a.bin", b"a")])).ends_with("a folder set, found none"));

    fs::write(&archive, &good).unwrap();
    let folder = unpack(&archive, dir.path(), "set").unwrap();
    assert_eq!(fs::read(folder.join("a.bin")).unwrap(), content);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn fetch_leaves_what_is_here_and_checks_what_comes_from_elsewhere() {
    let here = DataPaths::only(&shared());
    let found = fetch("cifar10", None, &here, &mut |_| ()).unwrap();
    assert_eq!(found, shared().join("cifar-10-batches-bin"));

    let dir = tempfile::tempdir().unwrap();
    let paths = DataPaths::only(dir.path());
    let (url, _) = serve(noise(1000), Manners::default());
    for name in ["cifar100", "mnist"] {
        let error = fetch(name, Some(&url), &paths, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("expected SHA-256"), "{error}");
    }
    let built_in = fetch("digits", None, &paths, &mut |_| ()).unwrap_err();
    assert!(built_in.to_string().contains("built in"));
}
