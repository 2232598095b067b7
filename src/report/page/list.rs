//! Trials as rows: all that are chosen, by pages, or the best.

use maud::{Markup, html};

use super::sections::{Context, tab};
use crate::report::view::{Point, Select, Sort, View};
use crate::report::words::{duration, grouped};

/// How many rows a page of the list has.
const ROWS: usize = 50;

/// The list of the chosen trials.
pub(super) fn list(context: &Context) -> Markup {
    let (view, select) = (context.view, context.select);
    let mut points = select.points(view);
    match select.sort {
        Sort::Latest => points.reverse(),
        Sort::Score => points.sort_by(|a, b| {
            b.score
                .unwrap_or(f64::NEG_INFINITY)
                .total_cmp(&a.score.unwrap_or(f64::NEG_INFINITY))
        }),
        Sort::Params => points.sort_by_key(|point| point.params),
        Sort::Seconds => points.sort_by(|a, b| b.seconds.total_cmp(&a.seconds)),
    }
    let pages = points.len().div_ceil(ROWS).max(1);
    let page = select.page.min(pages - 1);
    let shown = points.iter().skip(page * ROWS).take(ROWS);
    let sorts = [
        (Sort::Latest, "latest first"),
        (Sort::Score, "best first"),
        (Sort::Params, "smallest first"),
        (Sort::Seconds, "longest training first"),
    ];
    let turn = |page: usize| Select {
        page,
        ..select.clone()
    };
    html! {
        h2 { "Trials" }
        nav.tabs aria-label="order and page of the trials" {
            @for (sort, name) in sorts { (tab(name, select.sort == sort, &Select { sort, page: 0, ..select.clone() })) }
            @if page > 0 { (tab("previous page", false, &turn(page - 1))) }
            span.note { "page " (page + 1) " of " (pages) }
            @if page + 1 < pages { (tab("next page", false, &turn(page + 1))) }
        }
        (rows(view, shown.copied(), true))
    }
}

/// The best trials, without links.
pub(super) fn top(view: &View) -> Markup {
    let top = view.top(20);
    html! {
        h2 { "The best " (top.len()) " networks" }
        (rows(view, top.into_iter(), false))
    }
}

fn rows<'a>(view: &View, points: impl Iterator<Item = &'a Point>, links: bool) -> Markup {
    let number = |value: Option<f64>| value.map_or("–".to_string(), |v| format!("{v:.4}"));
    html! {
        div.scroll { table {
            thead { tr {
                th.n { "trial" } th.n { "score" } th.n { "reward" } th.n { "accuracy" } th.n { "loss" } th.n { "parameters" } th.n { "MACs" }
                th.n { "training" } th { "outcome" } th { "architecture" }
            } }
            tbody { @for point in points { tr {
                td.n {
                    @if links { a href=(format!("/studies/{}/trials/{}", view.kept.id, point.number)) { (point.number) } }
                    @else { (point.number) }
                }
                td.n { (number(point.score)) }
                td.n { (number(Some(point.reward))) }
                td.n { (number(point.accuracy)) }
                td.n { (number(point.loss)) }
                td.n { (grouped(point.params)) }
                td.n { (grouped(point.macs)) }
                td.n { (duration(point.seconds)) }
                @match (point.failure, point.known) {
                    (Some(kind), _) => { td.bad { "failed: " (kind) } }
                    (None, true) => { td { "known before" } }
                    (None, false) => { td { "new" } }
                }
                td { span.clip { (point.architecture) } }
            } } }
        } }
    }
}
