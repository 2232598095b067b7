//! The course of a search: each trial, the best so far, the mean of the last, and the control.

use maud::html;

use super::drawing::{Drawing, Tip};
use super::frame::{Axis, Frame, clipped, one, short};
use crate::report::view::{Control, Over, Point, Select, View, is_random};

/// How many trials the moving mean is of.
const WINDOW: usize = 10;

/// Of more places only the most important is told: pages would be large.
pub(super) const DETAILED: usize = 1_500;

/// The score of the chosen trials and the best so far, over trials, seconds of training or seconds of work.
pub fn best(view: &View, select: &Select, control: Option<&Control>) -> Drawing {
    let title = "Best score so far";
    if view.points.is_empty() {
        return Drawing::empty(title, "No trials yet.");
    }
    let across = across(view, select.over);
    let course = |point: &Point| across[point.number - 1];
    let scored = |points: &[&Point]| -> Vec<(f64, f64)> {
        let scored = points.iter().filter_map(|p| Some((course(p), p.score?)));
        scored.collect()
    };
    let all: Vec<&Point> = view.points.iter().collect();
    let every = scored(&all);
    let mut highest = f64::NEG_INFINITY;
    let so_far: Vec<(f64, f64)> = every
        .iter()
        .map(|&(x, score)| {
            highest = highest.max(score);
            (x, highest)
        })
        .collect();
    let end = across.last().copied().unwrap_or(1.0);
    let control = control.map(|control| (control, compared(control, select.over, end)));

    let axis = match select.over {
        Over::Trials => Axis::counted("trials", 0.0, end),
        Over::Compute => Axis::exactly("seconds of training, all trials together", 0.0, end),
        Over::Time => Axis::exactly("seconds of work on the study", 0.0, end),
    };
    let (floor, below) = floor(&every);
    let levels = every.iter().map(|p| p.1.max(floor));
    let beside = control
        .iter()
        .flat_map(|(_, points)| points.iter().map(|p| p.1));
    let frame = Frame::new(axis, Axis::over("score", levels.chain(beside)));

    let chosen = select.points(view);
    let (new, known): (Vec<&Point>, Vec<&Point>) = chosen.iter().partition(|p| !p.known);
    let (new, known) = (with_score(new), with_score(known));
    let (new_dots, new_drawn) = frame.dots("dots", &scored(&new));
    let (known_dots, known_drawn) = frame.dots("known", &scored(&known));
    let failed = chosen.iter().filter(|point| point.failure.is_some());
    let failed: Vec<&&Point> = failed.collect();
    let crosses: String = failed
        .iter()
        .map(|point| {
            let (x, y) = (frame.place((course(point), 0.0)).0, frame.floor() - 6.0);
            format!("M{} {y}l5 5m0-5l-5 5", one(x - 2.5))
        })
        .collect();
    let drawn = new_drawn.iter().map(|&index| new[index]);
    let drawn = drawn.chain(known_drawn.iter().map(|&index| known[index]));
    let tell = match new_drawn.len() + known_drawn.len() > DETAILED {
        true => told_briefly,
        false => told,
    };
    let mut tips: Vec<Tip> = drawn
        .map(|point| Tip {
            at: frame.place((course(point), point.score.unwrap_or_default())),
            text: tell(point),
            trial: Some(point.number),
        })
        .collect();
    tips.extend(failed.iter().map(|point| Tip {
        at: (frame.place((course(point), 0.0)).0, frame.floor() - 3.5),
        text: told(point),
        trial: Some(point.number),
    }));

    let mut legend = vec![
        ("best", "best so far".to_string()),
        ("mean", format!("mean of {WINDOW}")),
    ];
    if !new.is_empty() {
        legend.push(("dots", "a trial".into()));
    }
    if !known.is_empty() {
        legend.push(("known", "known before".into()));
    }
    if !failed.is_empty() {
        legend.push(("failed", "failed".into()));
    }
    let mut notes = Vec::new();
    if let Some((control, points)) = &control {
        if points.is_empty() {
            let why = "it has no place on this axis";
            notes.push(format!("Control: {}; {why}.", control.name));
        } else {
            legend.push(("control", "control".into()));
            notes.push(format!("Control: {}.", control.name));
        }
    } else if is_random(view) {
        notes.push("All architectures were drawn uniformly: this is a random search.".into());
    }
    if below > 0 {
        notes.push(format!(
            "{below} trials below {} are drawn at the lower edge.",
            short(floor)
        ));
    }
    let body = html! {
        (known_dots) (new_dots)
        path.failed d=(crosses) {}
        (frame.line("mean", means(&every)))
        @if let Some((_, points)) = &control { (frame.steps("control", points, points.last().map_or(end, |p| p.0))) }
        (frame.steps("best", &so_far, end))
    };
    let best = view
        .best()
        .map(|best| (best.number, best.score.unwrap_or_default()));
    let about = match best {
        Some((number, score)) => format!(
            "{} trials; the best score is {} at trial {number}.",
            view.points.len(),
            short(score)
        ),
        None => format!("{} trials, none with a score.", view.points.len()),
    };
    Drawing {
        title: title.into(),
        about,
        note: (!notes.is_empty()).then(|| notes.join(" ")),
        size: frame.size,
        body: frame.draw(&legend, &body),
        tips,
    }
}

/// The lowest score that the axis reaches down to, and how many are below: where a few are far from all others, the course of
/// the others is what is to be seen.
fn floor(points: &[(f64, f64)]) -> (f64, usize) {
    let mut scores: Vec<f64> = points.iter().map(|point| point.1).collect();
    scores.sort_by(f64::total_cmp);
    let (Some(&lowest), Some(&highest)) = (scores.first(), scores.last()) else {
        return (f64::NEG_INFINITY, 0);
    };
    let most = scores[scores.len() / 20];
    let floor = most - (highest - most);
    match floor > lowest && highest > most {
        true => (floor, scores.partition_point(|score| *score < floor)),
        false => (lowest, 0),
    }
}

fn with_score(points: Vec<&Point>) -> Vec<&Point> {
    points
        .into_iter()
        .filter(|point| point.score.is_some())
        .collect()
}

/// Where each trial is on the axis to the right.
fn across(view: &View, over: Over) -> Vec<f64> {
    let mut spent = 0.0;
    let of = view.points.iter().map(|point| {
        spent += point.seconds;
        match over {
            Over::Trials => point.number as f64,
            Over::Compute => spent,
            Over::Time => point.elapsed,
        }
    });
    of.collect()
}

/// The control on the same axis, as far as `end`; nothing where it has no place there.
fn compared(control: &Control, over: Over, end: f64) -> Vec<(f64, f64)> {
    let across: Vec<f64> = match (over, &control.elapsed) {
        (Over::Trials, _) => (1..=control.best.len()).map(|n| n as f64).collect(),
        (Over::Compute, _) => control.seconds.clone(),
        (Over::Time, Some(elapsed)) => elapsed.clone(),
        (Over::Time, None) => Vec::new(),
    };
    let points = across.into_iter().zip(control.best.iter().copied());
    let on_axis = |&(x, best): &(f64, f64)| x <= end * 1.0001 && best.is_finite();
    points.filter(on_axis).collect()
}

/// The mean of the last scores at each.
fn means(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sum = 0.0;
    let means = points.iter().enumerate().map(|(index, &(x, score))| {
        sum += score;
        if index >= WINDOW {
            sum -= points[index - WINDOW].1;
        }
        (x, sum / (index + 1).min(WINDOW) as f64)
    });
    means.collect()
}

/// What is told of a trial in a line.
pub(super) fn told(point: &Point) -> String {
    let mut text = told_briefly(point);

    if point.params > 0 {
        text += &format!(", {} parameters", short(point.params as f64));
    }
    if point.known {
        text += ", known before";
    }
    let architecture = &point.architecture;
    match architecture.is_empty() {
        true => text,
        false => format!("{text}\n{}", clipped(architecture, 160)),
    }
}

/// A trial's number and result.
fn told_briefly(point: &Point) -> String {
    let number = point.number;
    match (point.score, point.failure) {
        (Some(score), _) => format!("trial {number}: score {}", short(score)),
        (None, Some(kind)) => format!("trial {number}: failed: {kind}"),
        (None, None) => format!("trial {number}: no score"),
    }
}
