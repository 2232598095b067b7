//! `data fetch` against a server on this machine: damaged and cut downloads.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::harness::Place;

/// Serves `body` once at a loopback address, announced as `length` bytes; returns the address.
fn serve(body: &'static [u8], length: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = BufReader::new(stream.try_clone().unwrap()).lines();
        request.map_while(Result::ok).find(String::is_empty);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
    });
    format!("http://{address}/cifar-10-binary.tar.gz")
}

#[test]
fn a_download_with_the_wrong_content_is_refused_and_removed() {
    let body = b"this is not the archive that was published";
    let url = serve(body, body.len());
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
    let url = serve(body, 1000);
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
