//! `nas-script report`: a study as one file for people.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::store::{StoreArgs, find};
use crate::error::{Error, Result};
use crate::report::document::Report;
use crate::report::progress::{say, warn};
use crate::report::raster;
use crate::report::summary::Summary;
use crate::report::view::{Control, View, importance};
use crate::study::store::{Kept, StudyStore};
use crate::study::{Tested, Trial, portable};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The study.
    study: String,
    /// The file; of svg and png a folder [default: STUDY-report.html and the like].
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// html: one file that needs no other; md: text, with its pictures in a folder beside it; svg and png: the pictures.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// The study to compare with, such as a random search.
    #[arg(long, value_name = "STUDY")]
    control: Option<String>,
    /// Studies that repeat this one [default: those of the same script and parameters with another seed].
    #[arg(long, value_name = "STUDY", num_args = 1..)]
    repeats: Option<Vec<String>>,
    #[command(flatten)]
    store: StoreArgs,
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Html,
    Md,
    Svg,
    Png,
}

/// How many pixels a unit of a picture has.
const SCALE: f32 = 2.0;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let opened = arguments.store.present()?;
    let store = &*opened.store;
    let kept = find(store, &arguments.study)?;
    let form = form(arguments)?;
    let mut views = vec![View::open(store, kept.clone())?];
    for repeat in repeats(arguments, store, &kept)? {
        views.push(View::open(store, repeat)?);
    }
    let control = match &arguments.control {
        Some(name) => Some(Control::from(&View::open(store, find(store, name)?)?)),
        None => Control::of(&views[0]),
    };
    let mut winners = Vec::new();
    for view in &views {
        winners.push(winner(store, view)?);
    }
    let of = |view: &View| {
        let at = views.iter().position(|other| std::ptr::eq(other, view))?;
        winners[at].1.as_ref().map(|tested| tested.accuracy)
    };
    let summary = Summary::new(&views, control.as_ref(), of);
    let importance = importance(&views[0]);
    let report = Report {
        view: &views[0],
        summary: &summary,
        control: control.as_ref(),
        importance: &importance,
        best: winners[0].0.as_ref(),
        tested: winners[0].1.as_ref(),
    };
    write(arguments, form, &report)
}

fn form(arguments: &Arguments) -> Result<Form> {
    if let Some(form) = arguments.format {
        return Ok(form);
    }
    let ending = arguments.out.as_ref().and_then(|out| out.extension());
    match ending
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .as_deref()
    {
        None | Some("html" | "htm") => Ok(Form::Html),
        Some("md" | "markdown") => Ok(Form::Md),
        Some(other) => {
            let expected = "a name that ends in .html or .md, or --format html, md, svg or png";
            Err(Error::invalid("--out", expected, format!(".{other}")))
        }
    }
}

/// The repeats of `kept`.
fn repeats(arguments: &Arguments, store: &dyn StudyStore, kept: &Kept) -> Result<Vec<Kept>> {
    if let Some(names) = &arguments.repeats {
        let others = names.iter().filter(|name| **name != kept.about.name);
        return others.map(|name| find(store, name)).collect();
    }
    let own = &kept.about;
    let mut others = store.studies()?;
    others.retain(|other| {
        let about = &other.about;
        let same =
            about.script == own.script && about.source == own.source && about.params == own.params;
        same && about.seed != own.seed
            && about.kernel_version == own.kernel_version
            && about.parent.is_none()
    });
    // The longest of each seed, which does the same again: none has more to say.
    others.sort_by_key(|other| std::cmp::Reverse(other.trials));
    let mut seeds = BTreeSet::new();
    others.retain(|other| seeds.insert(other.about.seed.0));
    let (others, short): (Vec<Kept>, Vec<Kept>) = others
        .into_iter()
        .partition(|other| other.trials >= kept.trials);
    let told = |what: &str, of: &[Kept]| {
        if !of.is_empty() {
            let names: Vec<&str> = of.iter().map(|other| other.about.name.as_str()).collect();
            let names = crate::report::figures::clipped(&names.join(", "), 200);
            warn(&format!("{what}: {}", names.escape_debug()));
        }
    };
    told("repeats, of the same script with other seeds", &others);
    told(
        "left out, with fewer trials (name them with --repeats)",
        &short,
    );
    Ok(others)
}

/// The best trial of a study, and its network's score on the test images.
fn winner(store: &dyn StudyStore, view: &View) -> Result<(Option<Trial>, Option<Tested>)> {
    let Some(best) = view.best() else {
        return Ok((None, None));
    };
    let trial = store.trial(view.kept.id, best.number)?;
    let asked = trial.as_ref().and_then(|trial| trial.evaluation.as_ref());
    let network = asked.map(|asked| asked.network.digest());
    let tested = view
        .tests
        .iter()
        .find(|tested| Some(tested.network) == network);
    Ok((trial, tested.cloned()))
}

fn write(arguments: &Arguments, form: Form, report: &Report) -> Result<()> {
    let out = arguments.out.clone().unwrap_or_else(|| {
        let name = portable(&arguments.study);
        PathBuf::from(match form {
            Form::Html => format!("{name}-report.html"),
            Form::Md => format!("{name}-report.md"),
            Form::Svg | Form::Png => format!("{name}-plots"),
        })
    });
    match form {
        Form::Html => keep(&out, report.html().as_bytes())?,
        Form::Md => {
            let folder = out.with_extension("files");
            let beside = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            pictures(report, &folder, Form::Svg)?;
            let text = report.markdown(|name| Some(format!("<{beside}/{name}.svg>")));
            keep(&out, text.as_bytes())?;
        }
        Form::Svg | Form::Png => pictures(report, &out, form)?,
    }
    say(&out.display().to_string());
    Ok(())
}

/// Writes each picture into `folder`.
fn pictures(report: &Report, folder: &Path, form: Form) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
    for (name, drawing) in report.drawings() {
        let svg = drawing.standalone();
        match form {
            Form::Png => keep(
                &folder.join(format!("{name}.png")),
                &raster::png(&svg, SCALE)?,
            )?,
            _ => keep(&folder.join(format!("{name}.svg")), svg.as_bytes())?,
        }
    }
    Ok(())
}

fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::io("write", path))
}
