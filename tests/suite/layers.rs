//! The arrows of the house (docs/ARCHITECTURE.md): which room may use which. Reads the source text,
//! comments left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness::repository;

/// Files at the root that every room may use, but for [`PURE`].
const ROOT: &[&str] = &["error", "seed", "arrays", "buffers"];

/// Rooms of pure data: of the root they use errors and seeds alone, and they know no tensors.
const PURE: &[&str] = &["network", "space", "evaluation"];

/// What is only named where scripts are run.
const SCRIPTING: &[&str] = &["script", "repl"];

/// Each room with the rooms it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    (
        "cli",
        &[
            "repl",
            "script",
            "recipe",
            "report",
            "fleet",
            "manager",
            "study",
            "controller",
            "child",
            "data",
            "evaluation",
            "network",
            "space",
            "device",
        ],
    ),
    (
        "repl",
        &["script", "report", "study", "controller", "evaluation"],
    ),
    (
        "script",
        &[
            "recipe",
            "report",
            "manager",
            "study",
            "controller",
            "child",
            "data",
            "evaluation",
            "network",
            "space",
            "device",
        ],
    ),
    ("recipe", &["study", "evaluation"]),
    ("report", &["study", "evaluation", "network", "space"]),
    (
        "fleet",
        &[
            "manager",
            "study",
            "child",
            "data",
            "evaluation",
            "network",
            "device",
        ],
    ),
    (
        "manager",
        &["child", "data", "study", "evaluation", "network", "space"],
    ),
    ("study", &["evaluation", "space", "network"]),
    ("controller", &["space", "device"]),
    ("child", &["network", "data", "device", "evaluation"]),
    ("data", &["device"]),
    ("evaluation", &["network"]),
    ("network", &[]),
    ("space", &[]),
    ("device", &[]),
    ("arrays", &[]),
    ("buffers", &[]),
    ("seed", &[]),
    ("error", &[]),
];

/// The source without comments, so that documentation may point anywhere.
fn code(source: &str) -> String {
    let lines = source.lines().map(|line| match line.find("//") {
        // An address in a string is not a comment.
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix`, singly or in a group: of `crate::{a::B, c}` a and c.
fn named_after<'a>(code: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_names(group)),
            None => {
                names.insert(identifier(rest));
            }
        }
    }
    names
}

/// The first names of the paths in a group, which ends where its brace closes.
fn group_names(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(identifier(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// What a file of `room` uses that it may not.
fn violations(room: &str, source: &str) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("the room '{room}' has no row in the table")];
    };
    let code = code(source);
    let root = |name: &str| {
        ROOT.contains(&name) && !(["arrays", "buffers"].contains(&name) && PURE.contains(&room))
    };
    let mut found = Vec::new();
    for used in named_after(&code, "crate::") {
        // The crate's own `Error` and `Result` are those of `error`; the rest are macros.
        let own = used == room || matches!(used, "Error" | "Result");
        if !own && !root(used) && !allowed.contains(&used) {
            found.push(format!("{room} uses {used}"));
        }
    }
    if !SCRIPTING.contains(&room) && !named_after(&code, "rhai::").is_empty() {
        found.push(format!("{room} names rhai"));
    }
    if PURE.contains(&room) && !named_after(&code, "burn::").is_empty() {
        found.push(format!("{room} names burn"));
    }
    found
}

/// The Rust files below `folder`.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| self::files(folder));
    let files = files
        .into_iter()
        .filter(|f| f.extension().is_some_and(|e| e == "rs"));
    files.chain(below).collect()
}

#[test]
fn arrows_point_down_only() {
    let src = repository("src");
    let mut wrong = Vec::new();
    let mut rooms = BTreeSet::new();
    for file in files(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str();
        let room = Path::new(first)
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_string();
        let source = fs::read_to_string(&file).unwrap();
        let found = violations(&room, &source);
        wrong.extend(
            found
                .into_iter()
                .map(|v| format!("{}: {v}", inside.display())),
        );
        rooms.insert(room);
    }
    assert!(rooms.len() >= 15, "few rooms were read: {rooms:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_arrow_is_caught() {
    let caught = |room, source| violations(room, source).join("; ");
    assert_eq!(
        caught("network", "use crate::child::train;"),
        "network uses child"
    );
    assert_eq!(
        caught(
            "child",
            "use crate::{\n    data::{Dataset, Split},\n    manager::Executor,\n};"
        ),
        "child uses manager"
    );
    assert_eq!(
        caught("data", "fn f() { crate::script::run() }"),
        "data uses script"
    );
    assert_eq!(caught("study", "use rhai::Dynamic;"), "study names rhai");
    assert_eq!(
        caught("space", "use burn::tensor::Tensor;"),
        "space names burn"
    );
    assert_eq!(
        caught("space", "use crate::arrays::Array;"),
        "space uses arrays"
    );
    assert_eq!(
        caught("attic", ""),
        "the room 'attic' has no row in the table"
    );
}

#[test]
fn a_right_arrow_passes() {
    let passes = |room, source| assert_eq!(violations(room, source), Vec::<String>::new());
    passes(
        "manager",
        "use crate::{child::Weights, study::{Study, Trial}};",
    );
    passes(
        "network",
        "use crate::error::Result;\nuse crate::network::op::Op;",
    );
    passes(
        "study",
        "/// Followed by [`report`](crate::report).\n// crate::report",
    );
    passes(
        "script",
        "use rhai::plugin::*;\nuse crate::report::progress::Progress;",
    );
}
