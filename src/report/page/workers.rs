//! The workers of a study, and whether they are alive.

use maud::{Markup, html};

use crate::evaluation::Epoch;
use crate::report::view::View;
use crate::report::words::duration;
use crate::study::store::{JobState, Work};

/// The jobs of the study, and whether their workers are alive.
pub(super) fn workers(view: &View) -> Markup {
    let waiting = view
        .work
        .iter()
        .filter(|work| work.state == JobState::Ready)
        .count();
    let shown = view
        .work
        .iter()
        .filter(|work| work.state != JobState::Ready);
    let shown: Vec<&Work> = shown.collect();
    let progress = |work: &Work| -> Option<String> {
        let epoch: Epoch = serde_json::from_str(work.progress.as_ref()?).ok()?;
        Some(format!(
            "epoch {}: loss {:.4}, validation accuracy {:.4}",
            epoch.epoch, epoch.loss, epoch.validation_accuracy
        ))
    };
    html! {
        h2 { "Workers" }
        @if shown.is_empty() {
            p.quiet {
                @if view.running { "No worker has a job of the study. With --workers 0, or where a table answers, the search needs none." }
                @else { "The search is not running." }
            }
        } @else {
            div.scroll { table {
                thead { tr { th { "worker" } th { "job" } th { "state" } th { "start" } th { "progress" } th { "since" } th { "health" } } }
                tbody { @for work in shown { tr {
                    td { span.clip { (work.worker.as_deref().unwrap_or("none")) } }
                    td { (work.id) }
                    td { (state(work.state)) }
                    td { (work.attempts) }
                    td { (progress(work).unwrap_or_else(|| if work.state == JobState::Running { "before its first epoch".into() } else { String::new() })) }
                    td { (duration(work.age)) }
                    @match (work.state, work.lease) {
                        (JobState::Running, Some(lease)) if lease > 0.0 => { td { "alive: its lease has " (duration(lease)) " left" } }
                        (JobState::Running, _) => { td.bad { "silent: its lease is over" } }
                        _ => { td.bad { span.clip { (work.error.as_deref().unwrap_or_default()) } } }
                    }
                } } }
            } }
        }
        @if waiting > 0 { p.quiet { (waiting) " jobs wait for a worker." } }
    }
}

fn state(state: JobState) -> &'static str {
    match state {
        JobState::Ready => "waiting",
        JobState::Running => "training",
        JobState::Done => "done",
        JobState::Dead => "given up",
        JobState::Cancelled => "withdrawn",
    }
}
