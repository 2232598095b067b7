//! The page of a trial: what was decided, what was asked, what came back, the network as a graph, and what it can be taken
//! away as.

use maud::{Markup, html};

use crate::report::figures::training;
use crate::report::words::{self, duration, grouped};
use crate::study::{Tested, Trial};

/// Something that a trial can be taken away as.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The end of the address.
    pub name: String,
    /// What it is.
    pub label: String,
}

/// What the page of a trial is made of.
pub struct TrialPage<'a> {
    /// The key and the name of its study.
    pub study: (i64, &'a str),
    /// How many trials the study has.
    pub count: usize,
    /// The trial.
    pub trial: &'a Trial,
    /// Its network's score on the test images, if there is one.
    pub tested: Option<&'a Tested>,
    /// What it can be taken away as.
    pub offers: &'a [Offer],
}

/// The page.
pub fn trial(page: &TrialPage) -> Markup {
    let TrialPage {
        trial,
        count,
        offers,
        tested,
        ..
    } = *page;
    let (study, name) = page.study;
    let base = format!("/studies/{study}");
    let to = |number: usize| format!("{base}/trials/{number}");
    let (number, outcome) = (trial.number, &trial.outcome);
    let seconds = outcome.seconds;
    html! {
        main.single id="main" {
            nav.tabs aria-label="other trials" {
                a href=(base) { "study " (crate::report::figures::clipped(name, 60)) }
                @if number > 1 { a href=(to(number - 1)) { "trial " (number - 1) } }
                @if number < count { a href=(to(number + 1)) { "trial " (number + 1) } }
            }
            h1 { "Trial " (number)
                @if let Some(failure) = &outcome.failure { " " span.badge.bad { "failed: " (failure.kind) } }
                @else if trial.cached { " " span.badge { "known before" } }
            }
            @if let Some(failure) = &outcome.failure { section { h2 { "Failure" } pre { (failure.message) } } }
            dl.tiles {
                @if let Some(score) = trial.score { div { dt { "score" } dd { (format!("{score:.4}")) } } }
                div { dt { "reward" } dd { (format!("{:.4}", trial.reward)) } }
                @if let Some(accuracy) = outcome.accuracy { div { dt { "validation accuracy" } dd { (words::accuracy(accuracy)) } } }
                @if let Some([low, high]) = outcome.interval {
                    div { dt { "95 % interval over " (outcome.accuracies.len()) " seeds" } dd { (format!("{:.2} to {:.2} %", low * 100.0, high * 100.0)) } }
                }
                @if let Some(loss) = outcome.loss { div { dt { "validation loss" } dd { (format!("{loss:.4}")) } } }
                @if let Some(tested) = tested { div { dt { "test accuracy" } dd { (words::accuracy(tested.accuracy)) } } }
                div { dt { "parameters" } dd { (grouped(outcome.params)) } }
                div { dt { "MACs of an image" } dd { (grouped(outcome.macs)) } }
                div { dt { "training" } dd { (duration(seconds)) } }
                @if let Some(epoch) = outcome.best_epoch { div { dt { "best epoch" } dd { (epoch) " of " (outcome.history.len()) } } }
                @if let Some(stopped) = outcome.stopped { div { dt { "stopped early by" } dd { (stopped) } } }
            }
            @if !offers.is_empty() {
                div.buttons { @for offer in offers { a href=(format!("{}/{}", to(number), offer.name)) download { (offer.label) } } }
            }
            @if let Some(asked) = &trial.evaluation {
                section { h2 { "Network" }
                    div.network-frame {
                        img.network src=(format!("{}/network.svg", to(number)))
                            alt=(format!("graph of the network: {} parameters, {} nodes", grouped(outcome.params), asked.network.nodes().len()));
                    }
                    details { summary { "as a table" } pre { (asked.network) } }
                }
            }
            @if !outcome.history.is_empty() {
                section { h2 { "Training" } div.pair {
                    @for drawing in training(&outcome.history) { div { h3 { (drawing.title) } (drawing.inline()) } }
                }
                div.scroll { table {
                    thead { tr { th.n { "epoch" } th.n { "training loss" } th.n { "training accuracy" } th.n { "validation loss" } th.n { "validation accuracy" } th.n { "learning rate" } th.n { "time" } } }
                    tbody { @for epoch in &outcome.history { tr {
                        td.n { (epoch.epoch) } td.n { (format!("{:.4}", epoch.loss)) } td.n { (format!("{:.4}", epoch.accuracy)) }
                        td.n { (format!("{:.4}", epoch.validation_loss)) } td.n { (format!("{:.4}", epoch.validation_accuracy)) }
                        td.n { (format!("{:.6}", epoch.learning_rate)) } td.n { (duration(epoch.seconds)) }
                    } } }
                } } }
            }
            section { h2 { "What was decided and asked" }
                dl.facts {
                    @if let Some(actions) = &trial.actions {
                        dt { "decided by" } dd { (format!("{:?}", actions.source).to_lowercase()) }
                        @for decided in &actions.decided {
                            dt { @if let Some(layer) = decided.layer { "layer " (layer) ", " } (decided.state) }
                            dd { (decided.value) }
                        }
                    }
                    @if let Some(tag) = &trial.tag { dt { "tag" } dd { (tag) } }
                    @if let Some(row) = &trial.row { dt { "row of the table" } dd { (row) } }
                    @if let Some(asked) = &trial.evaluation {
                        dt { "data" } dd { (asked.data.name) ", " (asked.data.split) }
                        dt { "SHA-256 of the data" } dd { (asked.data.content) }
                        dt { "training" } dd { (serde_json::to_string(&asked.training).unwrap_or_default()) }
                        dt { "seed of the child" } dd { (asked.seed.0) }
                    }
                    @if let Some(digest) = &trial.digest { dt { "digest" } dd { (digest) } }
                    dt { "recorded after" } dd { (duration(trial.elapsed)) " of work on the study" }
                }
                @for (index, attempt) in trial.attempts.iter().enumerate() {
                    h3 { "Attempt " (index + 1) ", which failed" }
                    pre { (attempt.outcome.failure.as_ref().map(ToString::to_string).unwrap_or_default()) }
                }
            }
        }
    }
}
