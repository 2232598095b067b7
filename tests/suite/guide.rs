//! docs/guide.md and the README hold: their scripts run, their commands work, and what the guide shows of them is what
//! they print.
//!
//! A `rhai` or `toml` block whose first comment begins with the name of a file is that file; another `rhai` block is a
//! script by itself. `sh` blocks are commands in the folder of the files, where `scripts/` is too; `sh online` needs a
//! network and `sh set-up` sets the program up. The `text` block after a `sh` block is its output, where `…` stands for
//! any lines, or the rest of a line. Numbers with a point may differ a little, as from one kind of CPU to another, and
//! those of seconds altogether.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::harness::{NAS_SCRIPT, Place, Ran, repository};

/// A block of code: what the fence says of it, and its text.
struct Block {
    info: String,
    line: usize,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(repository(page)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, content) in text.lines().enumerate() {
        match (content.strip_prefix("```"), open) {
            (Some(info), false) => {
                let (info, text) = (info.to_string(), String::new());
                blocks.push(Block {
                    info,
                    line: line + 1,
                    text,
                });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => blocks.last_mut().unwrap().text += &format!("{content}\n"),
            (None, false) => {}
        }
    }
    assert!(!open, "{page}: a block is not closed");
    blocks
}

impl Block {
    /// The file that it is.
    fn file(&self) -> Option<&str> {
        let first = self.text.lines().next()?;
        let comment = first.trim_start_matches(['/', '#', '!']);
        let name = comment.split_whitespace().next()?.trim_end_matches(':');
        let of_code = ["rhai", "toml"]
            .iter()
            .any(|kind| name.ends_with(&format!(".{kind}")));
        (comment != first && of_code).then_some(name)
    }
}

/// Runs commands as a shell does, with the program at hand.
fn shell(here: &Place, commands: &str) -> Ran {
    let folder = Path::new(NAS_SCRIPT).parent().unwrap().display();
    let path = std::env::var("PATH").unwrap();
    let command = here.command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let script = format!("exec 2>&1\nset -e\n{commands}");
    let output = shell
        .env("PATH", format!("{folder}:{path}"))
        .args(["-c", &script]);
    here.ran(&output.stdin(Stdio::null()).output().unwrap())
}

/// Whether `found` is what the page shows.
fn shown(expected: &[&str], found: &[&str]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), None) => shown(rest, found),
        (Some((&"…", rest)), Some((_, later))) => shown(rest, found) || shown(expected, later),
        (Some((line, rest)), Some((other, later))) => alike(line, other) && shown(rest, later),
        _ => false,
    }
}

/// Whether a line is the one that is shown, up to what differs from run to run.
fn alike(expected: &str, found: &str) -> bool {
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(String::from).collect() };
    let (expected, found) = (words(expected), words(found));
    let whole = expected.last().is_none_or(|word| word != "…");
    let compared = if whole {
        expected.len()
    } else {
        expected.len() - 1
    };
    if found.len() < compared || (whole && found.len() != compared) {
        return false;
    }
    let number = |word: &str| word.trim_end_matches([',', ':']).parse::<f64>().ok();
    let seconds = |word: &str| ["s", "second", "seconds"].contains(&word.trim_end_matches(','));
    (0..compared).all(|at| {
        let (a, b) = (&expected[at], &found[at]);
        let time = found.get(at + 1).is_some_and(|unit| seconds(unit));
        let near = |(x, y): (f64, f64)| {
            let precise = a.contains('.') && b.contains('.');
            time || (precise && (x - y).abs() <= 0.02 * (1.0 + x.abs()))
        };
        a == b || (seconds(a) && seconds(b)) || number(a).zip(number(b)).is_some_and(near)
    })
}

/// Runs all blocks of a page in one folder, in order.
fn holds(page: &str) {
    let blocks = blocks(page);
    let here = Place::new();
    for script in fs::read_dir(repository("scripts")).unwrap() {
        let path = script.unwrap().path();
        let name = format!("scripts/{}", path.file_name().unwrap().to_str().unwrap());
        here.write(&name, fs::read(&path).unwrap());
    }
    for block in &blocks {
        if let Some(name) = block.file() {
            here.write(name, &block.text);
        }
    }
    let mut failed = Vec::new();
    let mut last = None;
    for block in &blocks {
        let at = format!("{page}:{}", block.line);
        match block.info.as_str() {
            "sh" => {
                let ran = shell(&here, &block.text);
                if ran.code != Some(0) {
                    failed.push(format!(
                        "{at} exits with {:?}:\n{}\n{}",
                        ran.code, block.text, ran.stdout
                    ));
                }
                last = Some(ran.stdout);
                continue;
            }
            "text" => {
                let Some(found) = last.take() else { continue };
                let lines = |text: &str| -> Vec<String> {
                    text.trim_end()
                        .lines()
                        .map(|line| line.trim_end().to_string())
                        .collect()
                };
                let (expected, found) = (lines(&block.text), lines(&found));
                let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                if !shown(&expected, &found) {
                    failed.push(format!("{at} is stale; printed was:\n{}", found.join("\n")));
                }
            }
            "rhai" if block.file().is_none() => {
                let ran = here.run_text_with(&["--store", "none"], &block.text);
                if ran.code != Some(0) {
                    failed.push(format!("{at}:\n{}", ran.stderr));
                }
            }
            "rhai" | "toml" => {
                let name = block.file().unwrap();
                let uses = |other: &Block| {
                    let stem = name.trim_end_matches(".rhai");
                    let (named, imported) = (other.text.contains(name), format!("\"{stem}\""));
                    !std::ptr::eq(block, other) && (named || other.text.contains(&imported))
                };
                if !blocks.iter().any(uses) {
                    failed.push(format!("{at}: nothing uses {name}"));
                }
            }
            "sh online" | "sh set-up" => {}
            other => failed.push(format!("{at}: a block of the kind '{other}' is not tested")),
        }
        last = None;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn the_guide_holds() {
    holds("docs/guide.md");
}

#[test]
fn the_readme_holds() {
    holds("README.md");
}

/// The addresses that GitHub gives the headings of a page.
fn headings(text: &str) -> Vec<String> {
    let heading = text.lines().filter(|line| line.starts_with('#'));
    let address = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    heading.map(address).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for page in [
        "README.md",
        "docs/guide.md",
        "docs/studies.md",
        "docs/data.md",
        "docs/exports.md",
    ] {
        let text = fs::read_to_string(repository(page)).unwrap();
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, address) = target.split_once('#').unwrap_or((target, ""));
            let beside = repository(page).parent().unwrap().join(file);
            let path = if file.is_empty() {
                repository(page)
            } else {
                beside
            };
            let there = fs::read_to_string(&path);
            let there = there.unwrap_or_else(|_| panic!("{page}: no file for {target}"));
            let known = address.is_empty() || headings(&there).iter().any(|h| h == address);
            assert!(known, "{page}: no heading for {target}");
            seen += 1;
        }
    }
    assert!(seen >= 40, "only {seen} links");
}

#[test]
fn output_is_compared_up_to_noise() {
    let page = [
        "trial 1: accuracy 0.9630, 1.1 s",
        "…",
        "kept in: runs/first-1",
    ];
    let same = [
        "trial 1: accuracy 0.9537, 17.0 s",
        "a",
        "b",
        "kept in: runs/first-1",
    ];
    assert!(shown(&page, &same));
    assert!(!shown(&page, &same[..3]));
    assert!(!shown(
        &page,
        &["trial 1: accuracy 0.8, 1.1 s", "kept in: runs/first-1"]
    ));
    assert!(!shown(
        &page,
        &["trial 2: accuracy 0.9630, 1.1 s", "kept in: runs/first-1"]
    ));
    assert!(alike("error: unknown …", "error: unknown name 'x'"));
    assert!(!alike("18 architectures", "19 architectures"));
}
