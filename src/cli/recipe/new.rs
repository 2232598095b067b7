//! `nas-script recipe new NAME`: a recipe to start from.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::recipe;
use crate::report::progress::say;

/// The recipe, with `NAME` where its name goes.
const SKELETON: &str = include_str!("skeleton.rhai");

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The recipe's name; the file is NAME.rhai in the working folder.
    name: String,
}

pub(super) fn write(arguments: &Arguments) -> Result<()> {
    let name = &arguments.name;
    recipe::check_name(name)?;
    let file = format!("{name}.rhai");
    let path = Path::new(&file);
    if path.exists() {
        let found = "one, which is not overwritten";
        return Err(Error::invalid(file, "no file of this name", found));
    }
    let mut options = OpenOptions::new();
    let new = options.write(true).create_new(true).open(path);
    let mut new = new.map_err(Error::io("create", path))?;
    let text = SKELETON.replace("NAME", name);
    new.write_all(text.as_bytes())
        .map_err(Error::io("write", path))?;
    say(&format!("{file} is a recipe that works. Change it, then:"));
    say(&format!(
        "  nas-script test {file}          # run its tests"
    ));
    say(&format!(
        "  nas-script recipe show {file}   # what others will see of it"
    ));
    say(&format!(
        "  nas-script recipe pack {file}   # one file to share, with what it claims"
    ));
    Ok(())
}
