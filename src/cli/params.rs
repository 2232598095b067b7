//! `nas-script params SCRIPT`: the knobs of a script, without running it; and what they are in a study.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Ending, read_script};
use crate::report::progress::say;
use crate::script::{self, Sources};

pub(super) fn list(path: &Path) -> Result<(), Ending> {
    let text = read_script(path)?;
    let sources = Sources::default();
    let declared = script::parse(&sources, path, &text);
    let declared = declared.map_err(|d| Ending::Script(Box::new(d), sources))?;
    if declared.is_empty() {
        say(&format!("{} has no parameters", path.display()));
    }
    let width = |text: fn(&script::Declared) -> &str| {
        let widths = declared.iter().map(|d| text(d).chars().count());
        widths.max().unwrap_or_default()
    };
    let (names, defaults) = (width(|d| &d.name), width(|d| &d.default));
    for script::Declared {
        name, default, doc, ..
    } in &declared
    {
        say(&format!("{name:<names$}  {default:<defaults$}  {doc}"));
    }
    Ok(())
}

/// The parameters of the script with the text `source`: those that are `given`, and the defaults of the others.
pub(super) fn values(source: &str, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let declared = script::parse(&Sources::default(), Path::new("script"), source);
    // Of a script that is no more than a name in an early record, what was given is known alone.
    let declared = declared.unwrap_or_default();
    let defaults = declared.iter().filter_map(|declared| {
        let default = declared.known_default()?;
        Some((declared.name.clone(), default.to_string()))
    });
    let mut values: BTreeMap<_, _> = defaults.collect();
    values.extend(given.clone());
    values
}
