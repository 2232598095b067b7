//! Every example in the documentation of the script language runs as it stands.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use crate::harness::{Place, repository, shared_data};

/// An example: where it opens, and its text.
struct Example {
    place: String,
    text: String,
}

/// The `rhai` blocks in the doc comments of a file.
fn examples(file: &Path) -> Vec<Example> {
    let text = fs::read_to_string(file).unwrap();
    let mut found = Vec::new();
    let mut open: Option<Example> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or(line.strip_prefix("//!"));
        let doc = doc.map(|doc| doc.strip_prefix(' ').unwrap_or(doc));
        match (doc, &mut open) {
            (Some("```rhai"), None) => {
                let place = format!("{}:{}", file.display(), number + 1);
                let text = String::new();
                open = Some(Example { place, text });
            }
            (Some("```"), Some(_)) => found.extend(open.take()),
            (Some(doc), Some(example)) => {
                example.text.push_str(doc);
                example.text.push('\n');
            }
            (None, Some(example)) => panic!("{}: the example is not closed", example.place),
            (_, None) => {}
        }
    }
    found
}

fn all_examples() -> Vec<Example> {
    let files = ["src/script", "stdlib/nas"].into_iter().flat_map(|folder| {
        let mut files: Vec<_> = fs::read_dir(repository(folder)).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().path());
        files.into_iter().map(|file| file.unwrap().path())
    });
    let files = files.filter(|path| path.is_file());
    files.flat_map(|file| examples(&file)).collect()
}

#[test]
fn every_example_runs() {
    let examples = all_examples();
    assert!(
        examples.len() >= 25,
        "only {} examples were found",
        examples.len()
    );
    let waiting = Mutex::new(examples.iter());
    let failed = Mutex::new(Vec::new());
    let data = shared_data();
    let data = data.to_str().unwrap();
    let work = || {
        loop {
            let Some(example) = waiting.lock().unwrap().next() else {
                break;
            };
            let ran = Place::new().run_text_with(&["--data-dir", data], &example.text);
            if ran.code != Some(0) {
                let Example { place, text } = example;
                failed
                    .lock()
                    .unwrap()
                    .push(format!("{place}\n{text}{}\n", ran.stderr));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} examples fail:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
