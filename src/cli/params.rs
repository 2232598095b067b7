//! `nas-script params SCRIPT`: the knobs of a script, without running it.

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
