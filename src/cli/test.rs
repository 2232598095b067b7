//! `nas-script test FILE…`: the `test_…` functions of scripts and recipes, each by itself.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::scratch::{Scratch, ScratchArgs};
use super::{Ending, FAILED, INTERRUPTED, colour, read_script};
use crate::device::Selector;
use crate::error::Error;
use crate::report::progress::say;
use crate::script::{self, Outline, Params, Sources};
use crate::seed::Seed;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Scripts with functions `test_…` without parameters.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Run only the tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The seed of each test.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    scratch: ScratchArgs,
}

/// How many tests passed and failed.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Ending> {
    let scratch = arguments.scratch.open(Selector::Auto, true)?;
    let mut tally = Tally::default();
    for path in &arguments.files {
        tests(path, arguments, &scratch, &mut tally)?;
    }
    let Tally { passed, failed } = tally;
    if passed + failed == 0 {
        let expected = match &arguments.filter {
            Some(filter) => format!("a function `fn test_…()` whose name contains '{filter}'"),
            None => "a function `fn test_…()` without parameters".into(),
        };
        return Err(Error::invalid("test", expected, "none").into());
    }
    say(&format!("\n{passed} passed, {failed} failed"));
    match failed {
        0 => Ok(()),
        _ => Err(Ending::Told(FAILED)),
    }
}

/// Runs the tests of the script at `path`.
fn tests(
    path: &Path,
    arguments: &Arguments,
    scratch: &Scratch,
    tally: &mut Tally,
) -> Result<(), Ending> {
    let text = read_script(path)?;
    let sources = Sources::default();
    let outline = Outline::of(&sources, path, &text);
    let outline = outline.map_err(|d| Ending::Script(Box::new(d), sources))?;
    let wanted = |name: &&String| arguments.filter.iter().all(|filter| name.contains(filter));
    let tests: Vec<&String> = outline.tests.iter().filter(wanted).collect();
    if tests.is_empty() {
        return Ok(());
    }
    say(&path.display().to_string());
    let folder = path.parent().unwrap_or(Path::new(""));
    let width = tests
        .iter()
        .map(|name| name.len())
        .max()
        .unwrap_or_default();
    for name in tests {
        // What a test imports or changes is not there for the next.
        let (sources, started) = (Sources::default(), Instant::now());
        let result = scratch.within(folder, Seed(arguments.seed), Params::default(), |host| {
            script::test(host, &sources, path, &text, name)
        })?;
        let seconds = started.elapsed().as_secs_f64();
        let said = if result.is_ok() { "ok" } else { "FAILED" };
        say(&format!("  {name:<width$}  {said:<6}  {seconds:.2} s"));
        match result {
            Ok(()) => tally.passed += 1,
            Err(diagnostic) if diagnostic.interrupted => return Err(Ending::Told(INTERRUPTED)),
            Err(diagnostic) => {
                tally.failed += 1;
                eprint!("{}", diagnostic.render(&sources, colour()));
            }
        }
    }
    Ok(())
}
