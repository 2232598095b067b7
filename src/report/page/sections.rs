//! The parts of a study's page. The dashboard replaces those that have changed; the report has them all in one file.

use std::hash::{DefaultHasher, Hash, Hasher};

use maud::{Markup, PreEscaped, html};

use crate::evaluation::Epoch;
use crate::report::figures::{self, Drawing, clipped};
use crate::report::view::{
    Control, Cost, Importance, Only, Over, Point, Select, Sort, Teaching, View,
};
use crate::report::words::{self, duration, grouped, since, when};
use crate::study::store::{JobState, Work};

/// What a study's page is made of.
pub struct Context<'a> {
    /// The study.
    pub view: &'a View,
    /// What of it is shown.
    pub select: &'a Select,
    /// Which decision matters.
    pub importance: &'a [Importance],
    /// What to compare with.
    pub control: Option<&'a Control>,
    /// The other studies of the store, by key and name, where there are links; `None` in a file.
    pub others: Option<&'a [(i64, String)]>,
}

/// A part of a page.
pub struct Section {
    /// Its id in the page.
    pub id: &'static str,
    /// Something that differs whenever the part has changed.
    pub hash: String,
    class: &'static str,
    inner: String,
}

impl Section {
    fn new((id, class, inner): (&'static str, &'static str, Markup)) -> Self {
        let inner = inner.into_string();
        let mut hasher = DefaultHasher::new();
        inner.hash(&mut hasher);
        Self {
            id,
            hash: format!("{:016x}", hasher.finish()),
            class,
            inner,
        }
    }

    /// The part.
    pub fn markup(&self) -> Markup {
        let class = (!self.class.is_empty()).then_some(self.class);
        html! {
            section id=(self.id) class=[class] data-hash=(self.hash) { (PreEscaped(&self.inner)) }
        }
    }
}

/// How many rows a page of the list has.
const ROWS: usize = 50;

/// The parts of the page, in order.
pub fn sections(context: &Context) -> Vec<Section> {
    let Context {
        view,
        select,
        importance,
        ..
    } = *context;
    let mut parts = vec![
        ("facts", "wide bare", facts(context)),
        (
            "course",
            "",
            html! {
                (head(&figures::best(view, select, context.control), &course_tabs(context)))
            },
        ),
        (
            "cost",
            "",
            html! { (head(&figures::trade_off(view, select), &cost_tabs(context))) },
        ),
    ];
    let link = |axis, value| format!("?{}", select.toggled(axis, value).query());
    let link: Option<&dyn Fn(usize, usize) -> String> = context.others.map(|_| &link as _);
    parts.push((
        "decisions",
        "",
        head(
            &figures::parallel(view, select, importance, link),
            &html! {},
        ),
    ));
    parts.push((
        "importance",
        "",
        head(&figures::importances(view, importance), &html! {}),
    ));
    let (teaching, tabs) = taught(context);
    let policy = match teaching {
        Some(teaching) => figures::policy(teaching),
        None => Drawing::empty(
            "Controller",
            "The search has had no update of a controller.",
        ),
    };
    parts.push(("policy", "", head(&policy, &tabs)));
    parts.push((
        "curves",
        "",
        head(&figures::learning(view, select), &html! {}),
    ));
    parts.push(("updates", "wide", updates(teaching)));
    if context.others.is_some() {
        parts.push(("workers", "wide", workers(view)));
        parts.push(("trials", "wide", list(context)));
    } else {
        parts.push(("trials", "wide", top(view)));
    }
    parts.into_iter().map(Section::new).collect()
}

/// A picture under its title, with `tools` between.
fn head(drawing: &Drawing, tools: &Markup) -> Markup {
    html! {
        h2 { (drawing.title) }
        (tools)
        (drawing.inline())
        @if let Some(note) = &drawing.note { p.note { (note) } }
    }
}

/// The study in numbers, and what is chosen of it.
fn facts(context: &Context) -> Markup {
    let view = context.view;
    let about = &view.kept.about;
    let failures = view.failures();
    let failed: usize = failures.iter().map(|(_, count)| count).sum();
    let kinds: Vec<String> = failures
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let best = view.best();
    let entropy = view
        .teachings
        .get(&0)
        .and_then(|t| t.series("controller/entropy").last().copied());
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
            div { dt { "failed" } dd class=[(failed > 0).then_some("bad")] { (failed) @if failed > 0 { " (" (kinds.join(", ")) ")" } } }
            div { dt { "training, all trials" } dd { (duration(view.seconds())) } }
            div { dt { "work on the study" } dd { (duration(view.points.last().map_or(0.0, |p| p.elapsed))) } }
            @if let Some((_, entropy)) = entropy { div { dt { "entropy of the policy" } dd { (format!("{entropy:.2} nats")) } } }
            div { dt { "last trial" } dd { (since(view.kept.updated)) } }
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

fn tab(name: &str, on: bool, select: &Select) -> Markup {
    html! { a data-swap href=(address(select)) aria-current=[on.then_some("true")] { (name) } }
}

fn address(select: &Select) -> String {
    format!("?{}", select.query())
}

fn course_tabs(context: &Context) -> Markup {
    let Some(others) = context.others else {
        return html! {};
    };
    let select = context.select;
    let choices = [
        (Over::Trials, "by trials"),
        (Over::Compute, "by training time"),
        (Over::Time, "by time"),
    ];
    html! {
        div.tabs {
            @for (over, name) in choices { (tab(name, select.over == over, &Select { over, ..select.clone() })) }
            label { "control: "
                select name="control" {
                    option value="" { @if Control::is_in(context.view) { "its own uniform draws" } @else { "none" } }
                    @for (id, name) in others {
                        option value=(id) selected[select.control == Some(*id)] { (clipped(name, 60)) }
                    }
                }
            }
        }
    }
}

fn cost_tabs(context: &Context) -> Markup {
    if context.others.is_none() {
        return html! {};
    }
    let select = context.select;
    let mut choices = vec![
        (Cost::Params, "parameters"),
        (Cost::Macs, "MACs"),
        (Cost::Seconds, "training time"),
    ];
    if context.view.has_latency() {
        choices.push((Cost::Latency, "latency"));
    }
    html! {
        div.tabs { @for (cost, name) in choices { (tab(name, select.cost == cost, &Select { cost, ..select.clone() })) } }
    }
}

/// The controller that is shown, and the way to the others.
fn taught<'a>(context: &Context<'a>) -> (Option<&'a Teaching>, Markup) {
    let (view, select) = (context.view, context.select);
    let taught: Vec<(u64, &Teaching)> = view
        .teachings
        .iter()
        .filter(|(_, teaching)| !teaching.updates.is_empty())
        .map(|(&controller, teaching)| (controller, teaching))
        .collect();
    let wanted = taught.iter().find(|(of, _)| *of == select.controller);
    let shown = wanted.or(taught.first()).copied();
    let tabs = html! {
        @if taught.len() > 1 {
            @if context.others.is_some() {
                nav.tabs aria-label="which controller is shown" {
                    @for (of, _) in &taught {
                        (tab(&format!("controller {}", of + 1), shown.is_some_and(|(shown, _)| shown == *of), &Select { controller: *of, ..select.clone() }))
                    }
                }
            } @else { p.note { "The first of " (taught.len()) " controllers." } }
        }
    };
    (shown.map(|(_, teaching)| teaching), tabs)
}

/// The numbers of a controller's updates.
fn updates(teaching: Option<&Teaching>) -> Markup {
    let Some(teaching) = teaching else {
        return html! { h2 { "Updates of the controller" } p.quiet { "None so far." } };
    };
    let drawings = [
        figures::entropy(teaching),
        figures::loss(teaching),
        figures::learning_rate(teaching),
    ];
    html! {
        div.pair { @for drawing in drawings { div { h2 { (drawing.title) } (drawing.inline()) } } }
    }
}

/// The jobs of the study, and whether their workers are alive.
fn workers(view: &View) -> Markup {
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

/// The list of the chosen trials.
fn list(context: &Context) -> Markup {
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
fn top(view: &View) -> Markup {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::study::store::{About, open};
    use crate::study::{Choice, Learned, Learning};

    #[test]
    fn each_controller_of_several_can_be_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("studies.db").display().to_string();
        let store = open(&address.parse().unwrap()).unwrap();
        let about = About {
            name: "two".into(),
            script: "two.rhai".into(),
            seed: Seed(0),
            params: Default::default(),
            folder: None,
            parent: None,
            kernel_version: 1,
            source: String::new(),
            environment: None,
        };
        let tenure = store.create(&about).unwrap();
        let choice = |name: &str| Choice {
            name: name.into(),
            values: vec!["a".into(), "b".into()],
        };
        let learned = |controller| Learned {
            controller,
            step: 1,
            trials: 0,
            scalars: vec![("total_loss".into(), 0.5)],
            policy: Some(vec![vec![0.25, 0.75]]),
        };
        let learning = Learning {
            controllers: [
                (0, vec![choice("cell_stem")]),
                (1, vec![choice("cell_tail")]),
            ]
            .into(),
            updates: vec![learned(0), learned(1)],
            ..Learning::default()
        };
        tenure.keep_learning(&learning).unwrap();
        let view = View::open(&*store, store.find("two").unwrap().unwrap()).unwrap();
        let policy = |controller, others| {
            let select = Select {
                controller,
                ..Select::default()
            };
            let context = Context {
                view: &view,
                select: &select,
                importance: &[],
                control: None,
                others,
            };
            let parts = sections(&context);
            let policy = parts.iter().find(|part| part.id == "policy").unwrap();
            policy.inner.clone()
        };
        let second = "href=\"?controller=1\"";
        let (first, other) = (policy(0, Some(&[])), policy(1, Some(&[])));
        assert!(
            first.contains("cell_stem") && first.contains(second) && !first.contains("cell_tail")
        );
        assert!(other.contains("cell_tail") && !other.contains("cell_stem"));
        // In a file there is nothing to follow.
        let filed = policy(0, None);
        assert!(filed.contains("first of 2 controllers") && !filed.contains("href"));
    }
}
