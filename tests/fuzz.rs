//! The fuzz targets on inputs that are mutated from the corpus, for a few seconds each:
//! `NAS_SCRIPT_FUZZ_SECONDS` says how many. What made one panic or hang is left in `target/tmp/fuzz-<target>`.
//!
//! `fuzz/README.md` says how they are driven by libFuzzer, for longer.

#![allow(clippy::unwrap_used)]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The longest input.
const LONGEST: usize = 1 << 14;

/// Pieces that mean something in one of the languages.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "#{",
    "|",
    "||",
    "\"",
    "`${",
    "//",
    "/*",
    ";",
    ",",
    ".",
    "..",
    "=",
    "==",
    "+=",
    "?.",
    "let ",
    "fn ",
    "loop ",
    "for x in ",
    "while ",
    "if ",
    "else ",
    "switch ",
    "try {",
    "} catch ",
    "throw ",
    "return ",
    "import ",
    "this",
    "const ",
    "9223372036854775807",
    "-9223372036854775808",
    "0.0/0.0",
    "1e308",
    "()",
    "x.",
    "StateSpace()",
    ".add_state(",
    ".add_anchor(\"skip\")",
    ".actions(",
    "input([3, 8, 8])",
    ".conv2d(",
    ".dense(",
    ".relu()",
    ".flatten()",
    "concat([",
    "Controller(",
    ".get_action()",
    ".train_step()",
    "trials(",
    "replicate(",
    "synthetic(#{",
    "dataset(\"digits\")",
    "NetworkManager(",
    "Surrogate(",
    "Parzen(",
    "Seen()",
    ".fresh(",
    ".map(",
    ".filter(",
    ".reduce(",
    ".sort(",
    ".call(",
    "Fn(\"",
    "curry(",
    "null",
    "true",
    ":",
    "e",
    "-",
    "0",
    "1",
    "\n",
];

const BYTES: &[u8] = &[
    0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, b'"', b'\n', b'{', b'[', b'9',
];

/// An input like `seeds`.
fn mutated(seeds: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut input = seeds.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..=6) {
        let length = input.len();
        let at = random.random_range(0..=length);
        let end = random.random_range(at..=length.min(at + 64));
        match random.random_range(0..8) {
            0 if at < length => input[at] ^= 1 << random.random_range(0..8),
            1 if at < length => input[at] = *BYTES.choose(random).unwrap(),
            2 => drop(input.drain(at..end)),
            3 => {
                let copy = input[at..end].to_vec();
                let to = random.random_range(0..=length);
                input.splice(to..to, copy);
            }
            4 => {
                let piece = PIECES.choose(random).unwrap().bytes();
                input.splice(at..at, piece);
            }
            5 => {
                let piece = PIECES.choose(random).unwrap().bytes();
                input.splice(at..end, piece);
            }
            6 => {
                let other = seeds.choose(random).unwrap();
                let from = random.random_range(0..=other.len());
                let to = random.random_range(from..=other.len().min(from + 256));
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => input.truncate(at.max(1)),
        }
    }
    input.truncate(LONGEST);
    input
}

/// The files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files.sort();
    files
}

/// Gives `target` mutations of what is in `folders`, for as long as the environment says.
fn fuzz(name: &str, folders: &[&str], target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = folders.iter().flat_map(|folder| files(&root.join(folder)));
    let seeds: Vec<Vec<u8>> = paths.map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "no corpus");
    let seconds = std::env::var("NAS_SCRIPT_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(2, |text| text.parse().unwrap());
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    let give = |input: &[u8]| {
        // Even after an abort it is known what the last input was.
        fs::write(&kept, input).unwrap();
        target(input);
    };
    seeds.iter().for_each(|seed| give(seed));
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let (started, mut inputs) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        give(&mutated(&seeds, &mut random));
        inputs += 1;
    }
    fs::remove_file(kept).unwrap();
    println!("{name}: {inputs} inputs of {} seeds", seeds.len());
}

#[test]
fn scripts() {
    let folders = ["fuzz/corpus/script", "stdlib", "scripts"];
    fuzz("script", &folders, targets::script);
}

#[test]
fn data_files() {
    fuzz("data", &["fuzz/corpus/data"], targets::data);
}

#[test]
fn formats() {
    fuzz("formats", &["fuzz/corpus/formats"], targets::formats);
}

#[test]
fn networks() {
    fuzz("network", &["fuzz/corpus/network"], targets::network);
}
