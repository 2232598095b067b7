//! The list of a store's studies.

use maud::{Markup, html};

use crate::report::words::{since, when};
use crate::study::store::Kept;

/// The section of the studies, each with whether a living process works on it; the latest first.
pub fn studies(store: &str, all: &[(Kept, bool)]) -> Markup {
    html! {
        section.bare id="studies" {
                h1 { "Studies" }
                p.quiet { (store) }
                @if all.is_empty() { p { "There are no studies yet. A run makes one: nas-script SCRIPT." } }
                @else { div.scroll { table {
                    thead { tr {
                        th { "study" } th { "state" } th.n { "trials" } th.n { "best score" } th { "last trial" } th { "script" } th { "started" } th { "fork of" }
                    } }
                    tbody { @for (kept, running) in all.iter().rev() { tr {
                        td { a href=(format!("/studies/{}", kept.id)) { span.clip { (kept.about.name) } } }
                        td { @if *running { span.badge.on { "running" } } @else { "not running" } }
                        td.n { (kept.trials) }
                        td.n { (kept.best.map_or("–".to_string(), |best| format!("{best:.4}"))) }
                        td { (kept.last_trial().map_or("–".into(), since)) }
                        td { span.clip { (kept.about.script) } }
                        td { (when(kept.created)) }
                        td { span.clip { (kept.about.parent.as_ref().map_or("", |(parent, _)| parent)) } }
                    } } }
                } } }
        }
    }
}
