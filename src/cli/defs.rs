//! `nas-script defs DIR`: definition files of everything that a script can call, for editors that know Rhai.

use std::path::Path;

use crate::error::Result;
use crate::report::progress::say;
use crate::script::{self, Reference};

pub(super) fn write(folder: &Path) -> Result<()> {
    let reference = Reference::of(&script::vocabulary());
    for file in reference.write_definitions(folder)? {
        say(&file.display().to_string());
    }
    Ok(())
}
