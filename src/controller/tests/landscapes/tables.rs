//! The landscapes as tables, for `scripts/bench_landscapes.rhai` to run every recipe on.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::Landscape;

/// An observation of a table is one of so many.
const OBSERVATIONS: u64 = 16;

/// Writes each landscape into the folder that NAS_LANDSCAPES names: `cells.csv` and so on.
#[test]
#[ignore = "writes files for scripts/bench_landscapes.rhai"]
fn landscapes_as_tables() {
    let folder = std::env::var_os("NAS_LANDSCAPES").expect("NAS_LANDSCAPES names a folder");
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder).unwrap();
    for landscape in Landscape::all() {
        let path = folder.join(format!("{}.csv", landscape.name));
        fs::write(path, table(&landscape)).unwrap();
    }
}

fn table(landscape: &Landscape) -> String {
    let mut text = String::from("architecture,truth");
    for n in 0..OBSERVATIONS {
        write!(text, ",observed_{n}").unwrap();
    }
    text.push('\n');
    for actions in landscape.space.enumerate(landscape.layers).unwrap() {
        // The values one after another, as `BenchmarkTable` asks for them.
        let key: String = actions.decided().map(|(_, v)| v.to_string()).collect();
        let indices = actions.indices();
        write!(text, "\"{key}\",{:.6}", landscape.truth(indices)).unwrap();
        for seed in 0..OBSERVATIONS {
            write!(text, ",{:.6}", landscape.observe(indices, seed)).unwrap();
        }
        text.push('\n');
    }
    text
}
