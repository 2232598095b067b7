//! What a study came to, fairly: over its repeats with other seeds, and against random search at an equal budget (Li &
//! Talwalkar, arXiv 1902.07638; Lindauer & Hutter, JMLR 21, 2020).

use super::view::{Control, View};
use crate::evaluation::interval;

/// One run of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The study's name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// How many trials it had.
    pub trials: usize,
    /// The best score after as many trials as all repeats had; `None` where none had one.
    pub best: Option<f64>,
    /// The accuracy of its best network on the test images, if that was measured, 0 to 1.
    pub test: Option<f64>,
    /// The seconds of training.
    pub seconds: f64,
}

/// A mean with its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Half the width of the interval that holds the mean of all runs with 95 % confidence, by Student's t; `None` of one
    /// run.
    pub half_width: Option<f64>,
    /// Of how many.
    pub count: usize,
}

/// What a study came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The number of trials after which runs are compared: as many as all of them had.
    pub budget: usize,
    /// The runs, the study itself first.
    pub repeats: Vec<Repeat>,
    /// The best scores.
    pub best: Option<Mean>,
    /// The accuracies on the test images.
    pub test: Option<Mean>,
    /// What to compare with.
    pub control: Option<Compared>,
}

/// A control beside the runs, after as many trials of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What the control is.
    pub name: String,
    /// After how many trials: as many as the control and all runs had.
    pub trials: usize,
    /// The best score of the control then; `None` where it had none.
    pub score: Option<f64>,
    /// The mean of the best scores of the runs then.
    pub search: Option<f64>,
}

impl Summary {
    /// The summary of `views`, a study and its repeats. `winner` finds the test accuracy of the best network of one.
    pub fn new(
        views: &[View],
        control: Option<&Control>,
        winner: impl Fn(&View) -> Option<f64>,
    ) -> Self {
        let budget = views
            .iter()
            .map(|view| view.points.len())
            .min()
            .unwrap_or(0);
        let repeats: Vec<Repeat> = views
            .iter()
            .map(|view| Repeat {
                name: view.name().into(),
                seed: view.kept.about.seed.0,
                trials: view.points.len(),
                best: best_within(view, budget),
                test: winner(view),
                seconds: view.seconds(),
            })
            .collect();
        let control = control.and_then(|control| {
            let trials = budget.min(control.best.len());
            let score = *control.best.get(trials.checked_sub(1)?)?;
            let search = mean(views.iter().filter_map(|view| best_within(view, trials)));
            Some(Compared {
                name: control.name.clone(),
                trials,
                score: Some(score).filter(|score| score.is_finite()),
                search: search.map(|mean| mean.value),
            })
        });
        Self {
            budget,
            best: mean(repeats.iter().filter_map(|repeat| repeat.best)),
            test: mean(repeats.iter().filter_map(|repeat| repeat.test)),
            repeats,
            control,
        }
    }

    /// In sentences, for people; each a paragraph.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        let after =
            |trials: usize| format!("after {trials} trial{}", if trials == 1 { "" } else { "s" });
        if let Some(best) = &self.best {
            sentences.push(match best.half_width {
                Some(half) => format!(
                    "The best score {} is {:.4} ± {half:.4} (mean and 95 % confidence interval by Student's t over {} runs with \
                     different seeds).",
                    after(self.budget), best.value, best.count
                ),
                None => format!(
                    "The best score {} is {:.4}, of one run: nothing is known of its spread. Runs of the same script with \
                     other seeds in the same store are taken as repeats.",
                    after(self.budget), best.value
                ),
            });
        } else if self.budget == 0 {
            sentences.push("A run has no trials yet, so there is nothing to compare.".into());
        } else {
            sentences.push("No trial has a score.".into());
        }
        sentences.push(match &self.control {
            Some(control) => {
                let Compared { name, trials, score, search } = control;
                let score = match score {
                    Some(score) => format!("has {score:.4}"),
                    None => "has no score".into(),
                };
                let search = match (search, control.score) {
                    (Some(search), Some(score)) => {
                        format!("; the search has {search:.4} then, {:+.4}", search - score)
                    }
                    _ => String::new(),
                };
                format!("Control: {name} {score} {}{search}.", after(*trials))
            }
            None => "There is no control: run a random search in the same store (nas/random) and name it with --control."
                .into(),
        });
        sentences.push(match &self.test {
            Some(Mean { value, half_width: Some(half), count }) => format!(
                "The winners' accuracy on the test images, which no search saw, is {:.2} ± {:.2} % ({count} runs).",
                value * 100.0, half * 100.0
            ),
            Some(Mean { value, .. }) => format!(
                "The winner's accuracy on the test images, which no search saw, is {:.2} %.",
                value * 100.0
            ),
            None => "The winner was not scored on the test images (manager.test(study.best.network)). Its validation accuracy is \
                     the highest of many, and so higher than what to expect of it."
                .into(),
        });
        sentences
    }
}

/// Runs of one search: the same script and parameters, each with a seed of its own.
#[derive(Clone, Debug)]
pub struct Group {
    /// The studies' names.
    pub names: Vec<String>,
    /// Their seeds.
    pub seeds: Vec<u64>,
    /// How many trials each had.
    pub trials: Vec<usize>,
    /// The best scores after each of the numbers of trials that were asked for.
    pub best: Vec<Option<Mean>>,
    /// The mean of the best scores after each trial, as far as all runs go and have one.
    pub curve: Vec<f64>,
    /// The seconds of training of all.
    pub seconds: f64,
}

/// `views` as groups of repeats, in the order in which the first of each is named; compared after each of `at` trials.
pub fn groups(views: &[View], at: &[usize]) -> Vec<Group> {
    let mut together: Vec<Vec<&View>> = Vec::new();
    for view in views {
        let about = &view.kept.about;
        let same = |other: &View| {
            let other = &other.kept.about;
            other.script == about.script
                && other.params == about.params
                && other.source == about.source
        };
        let place = together.iter_mut().find(|group| {
            let seed = |view: &&View| view.kept.about.seed == about.seed;
            same(group[0]) && !group.iter().any(seed)
        });
        match place {
            Some(group) => group.push(view),
            None => together.push(vec![view]),
        }
    }
    let group = |runs: Vec<&View>| {
        let shortest = runs.iter().map(|view| view.points.len()).min().unwrap_or(0);
        let after = |trials: usize| mean(runs.iter().filter_map(|view| best_within(view, trials)));
        Group {
            names: runs.iter().map(|view| view.name().to_string()).collect(),
            seeds: runs.iter().map(|view| view.kept.about.seed.0).collect(),
            trials: runs.iter().map(|view| view.points.len()).collect(),
            best: at.iter().map(|trials| after(*trials)).collect(),
            curve: curve(&runs, shortest),
            seconds: runs.iter().map(|view| view.seconds()).sum(),
        }
    };
    together.into_iter().map(group).collect()
}

/// The mean of the best scores of `runs` after each of `trials` trials; NaN before all have one.
fn curve(runs: &[&View], trials: usize) -> Vec<f64> {
    let mut best = vec![f64::NAN; runs.len()];
    let mean = |index: usize| {
        for (best, view) in best.iter_mut().zip(runs) {
            *best = view.points[index]
                .score
                .map_or(*best, |score| score.max(*best));
        }
        best.iter().sum::<f64>() / best.len() as f64
    };
    (0..trials).map(mean).collect()
}

/// The best score of the first `budget` trials.
fn best_within(view: &View, budget: usize) -> Option<f64> {
    let scores = view
        .points
        .iter()
        .take(budget)
        .filter_map(|point| point.score);
    scores.reduce(f64::max)
}

/// The mean of `values` with its interval.
fn mean(values: impl Iterator<Item = f64>) -> Option<Mean> {
    let values: Vec<f64> = values.collect();
    let count = values.len();
    if count == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let half_width = interval(&values).map(|[low, high]| (high - low) / 2.0);
    Some(Mean {
        value: mean,
        half_width,
        count,
    })
}

#[cfg(test)]
mod tests {
    use super::{Control, Summary, mean};
    use crate::report::view::tests::{draw, proposal, view};

    #[test]
    fn a_control_is_compared_at_its_own_budget() {
        let mut points: Vec<_> = (1..=5).map(|n| draw(n, Some(n as f64 / 10.0))).collect();
        points.extend((6..=50).map(|n| proposal(n, Some(0.9))));
        let views = [view(points)];
        let control = Control::of(&views[0]).unwrap();
        let summary = Summary::new(&views, Some(&control), |_| None);
        let found = summary.control.as_ref().unwrap();
        // The best of the first five trials, not of all fifty.
        assert_eq!((found.trials, found.search), (5, Some(0.5)));
        let said = summary.sentences().join(" ");
        let expected = "has 0.5000 after 5 trials; the search has 0.5000 then, +0.0000.";
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn a_control_without_a_score_says_so() {
        let failed = view((1..=4).map(|n| draw(n, None)).collect());
        let views = [view((1..=4).map(|n| proposal(n, Some(0.5))).collect())];
        let summary = Summary::new(&views, Some(&Control::from(&failed)), |_| None);
        let said = summary.sentences().join(" ");
        let expected = "Control: random search study has no score after 4 trials.";
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("inf"), "{said}");
    }

    #[test]
    fn the_interval_is_students() {
        let found = mean([0.9, 0.92, 0.94].into_iter()).unwrap();
        assert!((found.value - 0.92).abs() < 1e-12);
        // 4.3027 × 0.02 / √3.
        assert!(
            (found.half_width.unwrap() - 0.049_683).abs() < 1e-5,
            "{found:?}"
        );
        assert_eq!(mean([0.5].into_iter()).unwrap().half_width, None);
        assert_eq!(mean(std::iter::empty()), None);
    }
}
