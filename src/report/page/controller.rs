//! What controllers learnt: on a page that can be turned one of them, in a file all.

use maud::{Markup, html};

use super::sections::{Context, head, tab};
use crate::report::figures::{self, Drawing};
use crate::report::view::{Select, Teaching};

/// The probabilities of the decisions over time.
pub(super) fn policy(context: &Context) -> Markup {
    let (shown, tabs) = shown(context);
    if shown.is_empty() {
        let why = "The search has had no update of a controller.";
        return head(&Drawing::empty("Controller", why), &html! {});
    }
    let many = context.view.taught().len() > 1;
    html! {
        @for (number, teaching) in shown {
            (head(&figures::policy(teaching).numbered(number, many), &tabs))
        }
    }
}

/// The numbers of the updates.
pub(super) fn updates(context: &Context) -> Markup {
    let (shown, _) = shown(context);
    if shown.is_empty() {
        return html! { h2 { "Updates of the controller" } p.quiet { "None so far." } };
    }
    let many = context.view.taught().len() > 1;
    html! {
        @for (number, teaching) in shown {
            div.pair {
                @for drawing in figures::updates(teaching) {
                    @let drawing = drawing.numbered(number, many);
                    div { h2 { (drawing.title) } (drawing.inline()) }
                }
            }
        }
    }
}

/// The controllers that are shown, and the way to the others.
fn shown<'a>(context: &Context<'a>) -> (Vec<(u64, &'a Teaching)>, Markup) {
    let (view, select) = (context.view, context.select);
    let taught = view.taught();
    if context.others.is_none() || taught.len() < 2 {
        return (taught, html! {});
    }
    let wanted = taught.iter().find(|(of, _)| *of == select.controller);
    let one = *wanted.unwrap_or(&taught[0]);
    let tabs = html! {
        nav.tabs aria-label="which controller is shown" {
            @for (of, _) in &taught {
                (tab(&format!("controller {}", of + 1), *of == one.0, &Select { controller: *of, ..select.clone() }))
            }
        }
    };
    (vec![one], tabs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::view::View;
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
                importance: Some(&[]),
                control: None,
                others,
            };
            super::policy(&context).into_string()
        };
        let second = "href=\"?controller=1\"";
        let (first, other) = (policy(0, Some(&[])), policy(1, Some(&[])));
        assert!(
            first.contains("cell_stem") && first.contains(second) && !first.contains("cell_tail")
        );
        assert!(other.contains("cell_tail") && !other.contains("cell_stem"));
        // In a file there is nothing to follow: it has all of them.
        let filed = policy(0, None);
        assert!(filed.contains("cell_stem") && filed.contains("cell_tail"));
        assert!(filed.contains("policy, controller 2") && !filed.contains("href"));
    }
}
