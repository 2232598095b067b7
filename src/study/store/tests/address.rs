//! How stores are named.

use std::path::Path;

use super::*;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn passwords_are_never_shown() {
    let hidden = [
        (
            "postgres://me:s3cret@host:5433/studies?sslmode=require",
            "postgres://me@host:5433/studies?sslmode=require",
        ),
        (
            "postgresql://host/studies?user=me&password=s3cret",
            "postgresql://host/studies?user=me",
        ),
        ("postgres://me:s3:c@ret@host", "postgres://me@host"),
    ];
    for (given, shown) in hidden {
        let address = address(given);
        assert!(address.has_password(), "{given}");
        assert_eq!(address.to_string(), shown);
        assert!(!format!("{address:?}").contains("s3"), "{address:?}");
    }
    for public in [
        "postgres://me@host/studies",
        "postgres:///studies?host=/run",
        "a:b@c.db",
    ] {
        assert!(!address(public).has_password(), "{public}");
        assert_eq!(address(public).to_string(), public);
    }
    let error = "mysql://me:s3cret@host/studies"
        .parse::<Address>()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "store: expected a path, sqlite:PATH or postgres://USER@HOST/DATABASE, \
         found 'mysql://me@host/studies'"
    );
}

#[test]
fn files_lie_beside_their_database() {
    for text in [
        "runs/mine.db",
        "sqlite:runs/mine.db",
        "sqlite://runs/mine.db",
    ] {
        assert_eq!(address(text), Address::file("runs/mine.db"));
        assert_eq!(address(text).files(), Path::new("runs/mine.files"));
    }
    let server = address("postgres://me@host/studies");
    assert_eq!(server.files(), Path::new("nas-studies.files"));
    assert!("sqlite:".parse::<Address>().is_err());
}
