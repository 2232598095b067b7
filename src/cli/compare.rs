//! `nas-script compare`: studies side by side, at equal numbers of trials.

use serde_json::json;

use super::store::{LookArgs, find, print_table};
use crate::error::{Error, Result};
use crate::report::plot::{Curve, Plot, Signs};
use crate::report::progress::say;
use crate::report::summary::{Group, groups};
use crate::report::table::Table;
use crate::report::view::View;
use crate::report::words::{duration, shown};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The studies. Those of one script and the same parameters, with different seeds, are repeats of one search.
    #[arg(required = true, num_args = 2.., value_name = "STUDY")]
    studies: Vec<String>,
    #[command(flatten)]
    look: LookArgs,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let store = arguments.look.store()?;
    let mut views = Vec::new();
    for name in &arguments.studies {
        if views.iter().any(|other: &View| other.name() == name) {
            let found = format!("'{name}' twice");
            return Err(Error::invalid("compare", "each study once", found));
        }
        views.push(View::open(&*store, find(&*store, name)?)?);
    }
    // A study without trials has nothing to compare, and keeps nobody from it.
    let counts = views.iter().map(|view| view.points.len());
    let common = counts.filter(|count| *count > 0).min().unwrap_or(0);
    let mut at: Vec<usize> = [common.div_ceil(4), common.div_ceil(2), common].into();
    at.dedup();
    at.retain(|trials| *trials > 0);
    let groups = groups(&views, &at);
    match arguments.look.json {
        true => say(&as_json(&groups, &at).to_string()),
        false => tell(&groups, &at, common),
    }
    Ok(())
}

fn as_json(groups: &[Group], at: &[usize]) -> serde_json::Value {
    let all = groups.iter().map(|group| {
        let bests = at.iter().zip(&group.best).map(|(trials, mean)| {
            json!({
                "trials": trials,
                "best": mean.map(|mean| mean.value),
                "half_width": mean.and_then(|mean| mean.half_width),
            })
        });
        json!({
            "studies": group.names, "seeds": group.seeds, "best": bests.collect::<Vec<_>>(),
            "seconds": group.seconds, "trials": group.trials,
        })
    });
    serde_json::Value::from_iter(all)
}

fn tell(groups: &[Group], at: &[usize], common: usize) {
    let name = |group: &Group| match group.names.as_slice() {
        [only] => only.clone(),
        [first, ..] => format!("{first} and {} more seeds", group.names.len() - 1),
        [] => String::new(),
    };
    let [first, second, last] = [0, 1, 2].map(|index| {
        let trials = at.get(index);
        trials.map_or(String::new(), |trials| format!("#best after {trials}"))
    });
    let mut table = Table::new([
        "search",
        "#runs",
        "#trials",
        &first,
        &second,
        &last,
        "#training",
    ]);
    for group in groups {
        let best = |index: usize| {
            match group.best.get(index) {
                // Of few trials there are fewer columns.
                None => String::new(),
                Some(None) => "-".to_string(),
                Some(Some(mean)) => match mean.half_width {
                    Some(half) => format!("{:.4} ± {half:.4}", mean.value),
                    None => format!("{:.4}", mean.value),
                },
            }
        };
        let trials = group.trials.iter().max().copied().unwrap_or(0);
        let each = group.seconds / group.names.len().max(1) as f64;
        table.row([
            name(group),
            group.names.len().to_string(),
            trials.to_string(),
            best(0),
            best(1),
            best(2),
            duration(each),
        ]);
    }
    print_table(table);
    if groups.iter().any(|group| group.names.len() > 1) {
        say(
            "± is half of the 95 % confidence interval over the seeds (Student's t); training is the mean of the runs",
        );
    }
    let curves = groups.iter().map(|group| Curve {
        name: shown(&crate::report::table::cut(&name(group), 24)),
        points: group
            .curve
            .iter()
            .enumerate()
            .map(|(index, best)| ((index + 1) as f64, *best))
            .collect(),
        joined: true,
    });
    let plot = Plot {
        title: "best score so far".into(),
        across: "trial".into(),
        curves: curves.collect(),
        signs: Signs::of_terminal(),
    };
    if common > 1 {
        say("");
        say(plot.to_string().trim_end());
    }
}
