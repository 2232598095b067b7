use std::process::{Command, ExitStatus};

use super::process::cause;
use super::*;
use crate::data::{DataOptions, DataPaths, DataSource, load};
use crate::evaluation::{DataKey, FailureKind, TrainingConfig};
use crate::network::{DenseOptions, Network, Node};
use crate::seed::Seed;

fn task() -> Task {
    let data = load("digits", &DataOptions::default(), &DataPaths::new(None)).unwrap();
    let output = Node::input(&[4])
        .unwrap()
        .dense(3, &DenseOptions::default())
        .unwrap();
    let asked = Evaluation {
        network: Network::from_output(&output).unwrap(),
        data: DataKey {
            name: data.name().into(),
            split: data.split_key(),
            content: data.content_hash().into(),
        },
        training: TrainingConfig::default(),
        seed: Seed(u64::MAX),
    };
    let mut task = Task::new(asked, data.source().clone());
    task.timeout = Some(0.1);
    task.floor = vec![1.0 / 3.0, 0.1];
    task
}

#[test]
fn a_task_is_read_as_it_was_written() {
    let task = task();
    let read = Task::read(&task.write().unwrap()).unwrap();
    assert_eq!(read, task);
    assert_eq!(read.evaluation.digest(), task.evaluation.digest());
    assert!(matches!(read.data, DataSource::Known { .. }));
}

#[test]
fn a_task_of_another_version_is_not_unreadable() {
    let text = task().write().unwrap();
    for (field, other) in [
        ("\"form\":1", "\"form\":2"),
        ("\"kernel_version\":", "\"kernel_version\":1"),
    ] {
        let changed = text.replace(field, other);
        assert!(
            matches!(Task::read(&changed), Err(Unfit::Version(_))),
            "{field}"
        );
    }
    // A later form may have other fields altogether.
    let later = r#"{"form":2,"version":"9.0.0","kernel_version":2,"childs":[]}"#;
    let Err(Unfit::Version(why)) = Task::read(later) else {
        panic!("not another version");
    };
    assert!(why.contains("9.0.0"), "{why}");
    for damaged in ["", "{}", "[]", &text[..text.len() - 1]] {
        let read = Task::read(damaged);
        assert!(matches!(read, Err(Unfit::Unreadable(_))), "{damaged}");
    }
}

fn status(script: &str) -> ExitStatus {
    Command::new("sh").args(["-c", script]).status().unwrap()
}

#[test]
fn the_end_of_a_runner_says_what_its_child_died_of() {
    let came = |script, words, kernel_killed| {
        let failure = cause(status(script), words, Some(1 << 30), || kernel_killed);
        (failure.kind, failure.message)
    };
    let (oom, killed) = (FailureKind::Oom, FailureKind::Killed);
    let abort = "kill -ABRT $$";
    assert_eq!(
        came(abort, "memory allocation of 512 bytes failed", false),
        (
            oom,
            "memory allocation of 512 bytes failed; a child may take 1024 MiB".into()
        )
    );
    assert_eq!(
        came("kill -KILL $$", "", true),
        (
            oom,
            "the system ran out of memory and killed its process".into()
        )
    );
    let said = |end: &str| format!("its process was ended by {end}");
    assert_eq!(
        came("kill -KILL $$", "", false),
        (killed, said("signal 9 (SIGKILL)"))
    );
    assert_eq!(
        came("kill -SEGV $$", "out of ideas", true),
        (
            killed,
            said("signal 11 (SIGSEGV); its last words: out of ideas")
        )
    );
    assert_eq!(
        came("exit 3", "", true),
        (killed, said("its own exit with code 3"))
    );
}

#[test]
fn there_is_memory() {
    let bytes = default_memory().unwrap();
    assert!((1 << 28..1 << 50).contains(&bytes), "{bytes}");
}
