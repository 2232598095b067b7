//! `nas-script studies`: what a store holds.

use super::store::StoreArgs;
use crate::error::Result;
use crate::report::progress::say;

/// Lists the studies of the store, in the order in which they were started.
pub(super) fn list(store: &StoreArgs) -> Result<()> {
    let studies = store.needed()?.store.studies()?;
    if studies.is_empty() {
        say("no studies");
    }
    let width = |text: fn(&crate::study::store::About) -> usize| {
        let widths = studies.iter().map(|kept| text(&kept.about));
        widths.max().unwrap_or_default()
    };
    let names = width(|about| about.name.chars().count());
    let scripts = width(|about| about.script.chars().count());
    for kept in &studies {
        let (name, script) = (&kept.about.name, &kept.about.script);
        let best = kept.best.map(|best| format!("  best {best:.4}"));
        let parent = kept.about.parent.as_ref();
        let parent = parent.map(|(parent, _)| format!("  fork of {parent}"));
        say(&format!(
            "{name:<names$}  {script:<scripts$}  {:>6} trials{}{}",
            kept.trials,
            best.unwrap_or_default(),
            parent.unwrap_or_default()
        ));
    }
    Ok(())
}
