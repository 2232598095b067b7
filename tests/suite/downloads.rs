//! `data fetch` against a server on this machine: damaged and cut downloads.

use std::fs;

use crate::harness::{Place, serve};

/// Serves `body` once, announced as `length` bytes; returns the address.
fn archive(body: &[u8], length: usize) -> String {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    serve("cifar-10-binary.tar.gz", [head.as_bytes(), body].concat())
}

#[test]
fn a_download_with_the_wrong_content_is_refused_and_removed() {
    let body = b"this is not the archive that was published";
    let url = archive(body, body.len());
    let place = Place::new();
    let ran = place.run(&[
        "data",
        "fetch",
        "cifar10",
        "--data-dir",
        "data",
        "--url",
        &url,
    ]);
    assert_eq!(
        (ran.code, ran.stderr.lines().count()),
        (Some(1), 1),
        "{}",
        ran.stderr
    );
    let opening = format!("error: cannot download {url}: expected SHA-256 ");
    assert!(ran.stderr.starts_with(&opening), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with("; the download was removed"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        fs::read_dir(place.path("data")).unwrap().count(),
        0,
        "nothing is left"
    );
}

#[test]
fn a_download_that_was_cut_keeps_what_it_has() {
    let body = b"the first part";
    let url = archive(body, 1000);
    let place = Place::new();
    let ran = place.run(&[
        "data",
        "fetch",
        "cifar10",
        "--data-dir",
        "data",
        "--url",
        &url,
    ]);
    assert_eq!(
        (ran.code, ran.stderr.lines().count()),
        (Some(1), 1),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains(" after 14 of 1000 bytes; they are kept"),
        "{}",
        ran.stderr
    );
    let kept: Vec<_> = fs::read_dir(place.path("data")).unwrap().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(kept[0].as_ref().unwrap().path()).unwrap(), body);
}
