mod fetching;
mod pictures;
mod reading;
mod residence;
mod sources;
mod splitting;

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};

use super::augment::View;
use super::*;

/// The folder with the real data.
fn shared() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).to_path_buf()
}

fn cifar(options: &DataOptions) -> Dataset {
    load("cifar10", options, &DataPaths::only(&shared())).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

/// A `.tar.gz` of files with these names and contents.
fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        // Written by hand: the crate would refuse to make the paths that the tests need.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

/// The messages of a load that fails, with the test's own folder cut out.
fn message(result: Result<Dataset>, dir: &Path) -> String {
    let text = result.unwrap_err().to_string();
    text.replace(&format!("{}/", dir.display()), "")
}
