//! Broken scripts and what is said of them: the files of `diagnostics/`.
//!
//! A line `//=== path` in a file begins another file, which lies beside the script. What the error has to point at is
//! marked below its line by a comment `//   ~~~~`, or in the first line by `//@ line:column-end` (columns in
//! characters, from 1; the end is after the last) where a comment cannot be. The text beside it, `.txt`, is all of
//! standard error: `UPDATE_DIAGNOSTICS=1 cargo test --test suite diagnostics` writes it; read the difference.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Place, Ran, repository};

const FOLDER: &str = "tests/suite/diagnostics";
const SCRIPT: &str = "search.rhai";
/// A file of limits, which the script is run with.
const LIMITS: &str = "limits.toml";

/// A place that is marked in a script: its file, line and column, and the column after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Marked {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end: usize,
    /// What follows the mark.
    pub note: String,
}

/// The files of a case, by name.
pub fn files(text: &str) -> Vec<(String, String)> {
    let mut files = vec![(SCRIPT.to_string(), String::new())];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("//=== ") {
            Some(name) => files.push((name.trim().into(), String::new())),
            None => files.last_mut().unwrap().1.push_str(line),
        }
    }
    files
}

/// The places that are marked in a file.
pub fn marked(file: &str, text: &str) -> Vec<Marked> {
    let marked = |line, column, end, note: &str| Marked {
        file: file.into(),
        line,
        column,
        end,
        note: note.trim().into(),
    };
    let mut found = Vec::new();
    let mut code = 0;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if let Some(place) = line.strip_prefix("//@ ") {
            let (place, note) = place.trim().split_once(' ').unwrap_or((place.trim(), ""));
            let (line, columns) = place.split_once(':').unwrap();
            let (column, end) = columns.split_once('-').unwrap();
            let parsed = [line, column, end].map(|n| n.parse().unwrap());
            found.push(marked(parsed[0], parsed[1], parsed[2], note));
            continue;
        }
        let mark = line.trim_start().strip_prefix("//").map(str::trim_start);
        if mark.is_some_and(|mark| mark.starts_with('~')) {
            let first = line.chars().position(|c| c == '~').unwrap();
            let width = line.chars().skip(first).take_while(|c| *c == '~').count();
            let note: String = line.chars().skip(first + width).collect();
            found.push(marked(code, first + 1, first + width + 1, &note));
        } else {
            code = number;
        }
    }
    found
}

/// The files in `folder` that end with `.rhai`.
pub fn scripts(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|p| p.extension().is_some_and(|e| e == "rhai"))
        .collect();
    paths.sort();
    paths
}

/// Runs a case in a folder of its own.
fn run(text: &str) -> Ran {
    let place = Place::new();
    let mut arguments = vec!["-q", "--store", "none", SCRIPT];
    for (name, text) in files(text) {
        place.write(&name, text);
        if name == LIMITS {
            arguments.extend(["--limits", LIMITS]);
        }
    }
    place.run(&arguments)
}

/// The file, line and column that an error points at, and how wide the range is that is underlined.
fn pointed(error: &str) -> Option<(String, usize, usize, usize)> {
    let mut lines = error.lines();
    let arrow = lines.find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let mut parts = arrow.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let carets = lines.map(|line| line.chars().filter(|c| *c == '^').count());
    let width = carets.into_iter().find(|width| *width > 0)?;
    Some((parts.next()?.into(), line, column, width))
}

/// `error` without the lines that recipes of the standard library have: those change with its documentation.
fn settled(error: &str) -> String {
    let mut library = false;
    let settle = |line: &str| {
        let (start, rest) = line.split_at(line.len() - line.trim_start().len());
        if let Some(place) = rest.strip_prefix("::: ") {
            library = place.starts_with("nas/");
            let name = place.split(':').next().unwrap_or(place);
            return if library {
                format!("{start}::: {name}")
            } else {
                line.into()
            };
        }
        let code = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        match library && code.len() < rest.len() {
            true => format!("{start}…{code}"),
            false => line.into(),
        }
    };
    error.lines().map(settle).collect::<Vec<_>>().join("\n")
}

/// What is wrong with the case in the file `path`.
fn check(path: &Path, update: bool) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let ran = run(&text);
    let name = path.file_stem().unwrap().to_string_lossy();
    let fail = |what: String| Err(format!("=== {name}: {what}\n{}\n", ran.stderr));

    let marks: Vec<Marked> = files(&text)
        .iter()
        .flat_map(|(file, text)| marked(file, text))
        .collect();
    let [mark] = &marks[..] else {
        return fail(format!("{} places are marked", marks.len()));
    };
    if ran.code != Some(1) {
        return fail(format!("ended with {:?}", ran.code));
    }
    let Some((file, line, column, width)) = pointed(&ran.stderr) else {
        return fail("points at nothing".into());
    };
    // Nothing is underlined by one caret.
    let marked_width = (mark.end - mark.column).max(1);
    if (&file, line, column, width) != (&mark.file, mark.line, mark.column, marked_width) {
        let at = format!("{file}:{line}:{column}, {width} wide");
        let expected = format!(
            "{}:{}:{}, {marked_width} wide",
            mark.file, mark.line, mark.column
        );
        return fail(format!("points at {at}; marked is {expected}"));
    }
    let kept = path.with_extension("txt");
    if update {
        fs::write(kept, format!("{}\n", settled(&ran.stderr))).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(kept).unwrap_or_default();
    match expected.trim_end() == settled(&ran.stderr) {
        true => Ok(()),
        false => fail(format!("differs from what is kept:\n{expected}--- now:")),
    }
}

#[test]
fn every_broken_script_is_explained_at_the_right_place() {
    let paths = scripts(FOLDER);
    assert!(paths.len() >= 60, "only {} scripts", paths.len());
    let update = std::env::var_os("UPDATE_DIAGNOSTICS").is_some();
    let wrong: Vec<String> = paths
        .iter()
        .filter_map(|path| check(path, update).err())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        paths.len(),
        wrong.join("\n")
    );
}

#[test]
fn what_is_kept_belongs_to_a_script() {
    for entry in fs::read_dir(repository(FOLDER)).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("rhai").is_file(), "{}", path.display());
        assert!(path.with_extension("txt").is_file(), "{}", path.display());
    }
}

#[test]
fn colour_is_for_terminals_alone() {
    let place = Place::new();
    place.write(SCRIPT, "print(missing);\n");
    let ran = place.run(&["-q", SCRIPT]);
    assert!(ran.stderr.contains("unknown variable"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn a_script_cannot_write_to_the_terminal_through_its_errors() {
    let ran = Place::new().run_text("throw \"a\\x1b[2Jb\";\n");
    assert_eq!(ran.code, Some(1));
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
}

#[test]
fn an_interrupt_ends_functions_however_deep_and_blames_nothing() {
    let place = Place::new();
    place.write(
        SCRIPT,
        "fn busy() { loop { } }\nfn outer() { busy() }\nprint(\"begins\");\nouter();\n",
    );
    let mut child = place
        .command(&["-q", "--limits", "none", "--store", "none", SCRIPT])
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "begins\n");
    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    let ran = place.ran(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
}
