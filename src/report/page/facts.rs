//! The head of a study's page: the study in numbers, and the choice of the trials that the page is about.

use maud::{Markup, html};

use super::sections::{Context, address, tab};
use crate::report::figures::clipped;
use crate::report::view::{Only, Select};
use crate::report::words::{self, duration, since, when};

/// The study in numbers, and what is chosen of it.
pub(super) fn facts(context: &Context) -> Markup {
    let view = context.view;
    let about = &view.kept.about;
    let (failed, kinds) = view.failed();
    let best = view.best();
    let taught = view.taught();
    let entropy = taught
        .first()
        .and_then(|(_, teaching)| teaching.series("controller/entropy").last().copied());
    html! {
        h1 {
            (about.name) " "
            @if view.running { span.badge.on { "running" } } @else { span.badge { "not running" } }
        }
        p.quiet {
            (about.script) " · seed " (about.seed.0)
            @for (name, value) in &about.params { " · " (name) " = " (value) }
            " · started " (when(view.kept.created))
            @if let Some((parent, trials)) = &about.parent { " · fork of " (parent) " at trial " (trials) }
        }
        dl.tiles {
            div { dt { "trials" } dd { (view.points.len()) } }
            @if let Some(best) = best {
                div { dt { "best score" } dd { (format!("{:.4}", best.score.unwrap_or_default())) } }
                div { dt { "at trial" } dd {
                    @if context.others.is_some() { a href=(format!("/studies/{}/trials/{}", view.kept.id, best.number)) { (best.number) } }
                    @else { (best.number) }
                } }
                @if let Some(accuracy) = best.accuracy {
                    div { dt { "its validation accuracy" } dd { (words::accuracy(accuracy)) } }
                }
            }
            @if let Some(tested) = view.tests.last() {
                div { dt { "test accuracy, last measured" } dd { (words::accuracy(tested.accuracy)) } }
            }
            div { dt { "answered from known" } dd { (view.known()) } }
            div { dt { "failed" } dd class=[(failed > 0).then_some("bad")] { (failed) @if failed > 0 { " (" (kinds) ")" } } }
            div { dt { "training, all trials" } dd { (duration(view.seconds())) } }
            div { dt { "work on the study" } dd { (duration(view.points.last().map_or(0.0, |p| p.elapsed))) } }
            @if let Some((_, entropy)) = entropy { div { dt { "entropy of the policy" } dd { (format!("{entropy:.2} nats")) } } }
            // A file may be read in a year.
            @if let Some(last) = view.kept.last_trial().filter(|_| context.others.is_some()) {
                div { dt { "last trial" } dd { (since(last)) } }
            }
        }
        @if context.others.is_some() { (chosen(context)) }
    }
}

/// Which trials are shown, and the way to others.
fn chosen(context: &Context) -> Markup {
    let (view, select) = (context.view, context.select);
    let choices = [
        (Only::All, "all trials"),
        (Only::New, "newly evaluated"),
        (Only::Known, "known before"),
        (Only::Failed, "failed"),
    ];
    let picked = select.picked();
    html! {
        nav.tabs aria-label="which trials are shown" {
            @for (only, name) in choices {
                (tab(name, select.only == only, &Select { only, page: 0, ..select.clone() }))
            }
            @for (axis, value) in picked {
                @if let Some(of) = view.axes.get(axis) {
                    a.chip data-swap href=(address(&select.toggled(axis, value))) title="show others too" {
                        (clipped(&of.name, 60)) " = " (clipped(&of.label(value), 60)) " ✕"
                    }
                }
            }
            @if !select.is_everything() {
                span.note { (select.points(view).len()) " of " (view.points.len()) " trials" }
            }
        }
    }
}
