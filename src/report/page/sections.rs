//! The parts of a study's page. The dashboard replaces those that have changed; the report has them all in one file.

use std::hash::{DefaultHasher, Hash, Hasher};

use maud::{Markup, PreEscaped, html};

use super::{controller, facts, list, workers};
use crate::report::figures::{self, Drawing, clipped};
use crate::report::view::{Control, Cost, Importance, Over, Select, View};

/// What a study's page is made of.
pub struct Context<'a> {
    /// The study.
    pub view: &'a View,
    /// What of it is shown.
    pub select: &'a Select,
    /// Which decision matters; `None`: that is being computed.
    pub importance: Option<&'a [Importance]>,
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

/// The parts of the page, in order.
pub fn sections(context: &Context) -> Vec<Section> {
    let Context {
        view,
        select,
        importance,
        ..
    } = *context;
    let mut parts = vec![
        ("facts", "wide bare", facts::facts(context)),
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
            &figures::parallel(view, select, importance.unwrap_or_default(), link),
            &html! {},
        ),
    ));
    parts.push((
        "importance",
        "",
        head(&figures::importances(view, importance), &html! {}),
    ));
    parts.push(("policy", "", controller::policy(context)));
    parts.push((
        "curves",
        "",
        head(&figures::learning(view, select), &html! {}),
    ));
    parts.push(("updates", "wide", controller::updates(context)));
    if context.others.is_some() {
        parts.push(("workers", "wide", workers::workers(view)));
        parts.push(("trials", "wide", list::list(context)));
    } else {
        parts.push(("trials", "wide", list::top(view)));
    }
    parts.into_iter().map(Section::new).collect()
}

/// A picture under its title, with `tools` between.
pub(super) fn head(drawing: &Drawing, tools: &Markup) -> Markup {
    html! {
        h2 { (drawing.title) }
        (tools)
        (drawing.inline())
        @if let Some(note) = &drawing.note { p.note { (note) } }
    }
}

pub(super) fn tab(name: &str, on: bool, select: &Select) -> Markup {
    html! { a data-swap href=(address(select)) aria-current=[on.then_some("true")] { (name) } }
}

pub(super) fn address(select: &Select) -> String {
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
