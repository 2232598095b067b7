//! `nas-script defs DIR`: definition files of everything that a script can call, for editors that know Rhai.

use std::path::Path;

use crate::error::Result;
use crate::report::progress::say;
use crate::script::Reference;

pub(super) fn write(folder: &Path) -> Result<()> {
    for file in Reference::get().write_definitions(folder)? {
        say(&file.display().to_string());
    }
    Ok(())
}
