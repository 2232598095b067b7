//! `nas-script export RUN`: a network that a run found, as a file that runs or is read elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::child::Weights;
use crate::child::export::{self, Existing, Format};
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::manager::{BEST_TRIAL_FILE, BEST_WEIGHTS_FILE};
use crate::report::progress::say;
use crate::study::{JOURNAL_FILE, Journal, Trial};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The run's folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Which network: `best`, or a trial's number. Weights are kept of the best alone.
    #[arg(long, default_value = "best", value_name = "best|N")]
    trial: Wanted,
    /// onnx, safetensors, burn, json, svg or mermaid [default: what --out ends in].
    #[arg(long)]
    format: Option<Format>,
    /// The file, or the folder of a Burn crate [default: best.onnx and the like, in RUN].
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Take the weights that the network had before its training.
    #[arg(long)]
    untrained: bool,
}

/// The trial that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    Best,
    Number(usize),
}

impl std::str::FromStr for Wanted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse()) {
            ("best", _) => Ok(Self::Best),
            (_, Ok(number)) => Ok(Self::Number(number)),
            _ => Err(Error::invalid("trial", "best or a trial's number", text)),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { run, out, .. } = arguments;
    let format = format(arguments)?;
    let best = best(run)?;
    let trial = trial(run, arguments.trial, best.clone())?;
    let number = trial.number;
    let is_best = best.is_some_and(|best| best.number == number);
    let asked = evaluation(&trial)?;
    let weights = match format.has_weights() {
        true => Some(weights(arguments, format, number, is_best, asked)?),
        false => None,
    };
    let path = match out {
        Some(out) => out.clone(),
        None => run.join(default_name(format, number, is_best)),
    };
    protect(run, format, &path)?;
    let existing = match format {
        Format::Burn => Existing::Keep,
        _ => Existing::Replace,
    };
    export::write(&asked.network, weights.as_ref(), format, &path, existing)?;
    let trained = match (format.has_weights(), arguments.untrained) {
        (true, true) => ", untrained",
        _ => "",
    };
    for path in export::targets(format, &path) {
        say(&format!("trial {number}{trained}: {}", path.display()));
    }
    Ok(())
}

/// The format that is asked for, by name or by the path's ending.
fn format(arguments: &Arguments) -> Result<Format> {
    match (arguments.format, &arguments.out) {
        (Some(format), _) => Ok(format),
        (None, Some(out)) => Format::of_path(out),
        (None, None) => {
            let names = Format::ALL.map(Format::name).join(", ");
            Err(Error::invalid("--format", names, "nothing"))
        }
    }
}

/// The best trial of the run, if any has succeeded.
fn best(run: &Path) -> Result<Option<Trial>> {
    if !run.join(JOURNAL_FILE).is_file() {
        let found = format!("{} without {JOURNAL_FILE}", run.display());
        return Err(Error::invalid("RUN", "a run's folder", found));
    }
    let path = run.join(BEST_TRIAL_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let trial = serde_json::from_slice(&text).map_err(|error| Error::Snapshot {
        path,
        reason: format!("no trial: {error}"),
    });
    trial.map(Some)
}

fn trial(run: &Path, wanted: Wanted, best: Option<Trial>) -> Result<Trial> {
    match (wanted, best) {
        (Wanted::Best, Some(best)) => Ok(best),
        (Wanted::Best, None) => {
            let found = format!("none in {} yet", run.display());
            Err(Error::invalid(
                "--trial best",
                "a trial that succeeded",
                found,
            ))
        }
        (Wanted::Number(number), _) => {
            let trials = Journal::read(&run.join(JOURNAL_FILE))?;
            let count = trials.len();
            let mut trials = trials.into_iter();
            trials.find(|trial| trial.number == number).ok_or_else(|| {
                let expected = match count {
                    0 => "best: there are no trials yet".into(),
                    _ => format!("best or a number from 1 to {count}"),
                };
                Error::invalid("--trial", expected, number)
            })
        }
    }
}

fn evaluation(trial: &Trial) -> Result<&Evaluation> {
    trial.evaluation.as_ref().ok_or_else(|| {
        let failure = trial.outcome.failure.as_ref().map(ToString::to_string);
        let what = format!("trial {}", trial.number);
        Error::invalid(what, "a network", failure.unwrap_or_else(|| "none".into()))
    })
}

fn weights(
    arguments: &Arguments,
    format: Format,
    number: usize,
    is_best: bool,
    asked: &Evaluation,
) -> Result<Weights> {
    if arguments.untrained {
        return export::untrained(&asked.network, asked.seed);
    }
    if is_best {
        return Weights::load(arguments.run.join(BEST_WEIGHTS_FILE));
    }
    let expected = "the best trial, whose weights are kept; --untrained exports initial weights";
    let found = format!("trial {number}");
    Err(Error::invalid(
        format!("export to {format}"),
        expected,
        found,
    ))
}

/// The name in the run's folder. The run's own `best.json` and `best.safetensors` stay what they are.
fn default_name(format: Format, number: usize, is_best: bool) -> String {
    let stem = match is_best {
        true => "best".to_string(),
        false => format!("trial-{number}"),
    };
    match (format, format.extension()) {
        (Format::Json | Format::Safetensors, Some(ending)) => format!("{stem}-network.{ending}"),
        (_, Some(ending)) => format!("{stem}.{ending}"),
        (_, None) => format!("{stem}-{format}"),
    }
}

/// Refuses to overwrite what the run itself keeps.
fn protect(run: &Path, format: Format, path: &Path) -> Result<()> {
    let own = [BEST_TRIAL_FILE, BEST_WEIGHTS_FILE, JOURNAL_FILE];
    let own: Vec<PathBuf> = own
        .iter()
        .filter_map(|name| run.join(name).canonicalize().ok())
        .collect();
    for target in export::targets(format, path) {
        if target
            .canonicalize()
            .is_ok_and(|target| own.contains(&target))
        {
            let found = format!("{}, which the run keeps", target.display());
            return Err(Error::invalid("--out", "another file", found));
        }
    }
    Ok(())
}
