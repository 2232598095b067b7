//! The texts of strangers: read within bounds, refused where they hold what a terminal would obey, made harmless before
//! they are shown.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::MOST;
use crate::error::{Error, Result};

/// Whether a terminal would obey `c`, or show the characters around it in another order, so that people see another
/// text than there is.
fn treacherous(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    reorders || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// `text` on one line without control characters and what changes the direction of writing.
pub fn plain(text: &str) -> String {
    let blank = text.replace(['\n', '\t'], " ");
    blank.chars().filter(|c| !treacherous(*c)).collect()
}

/// The text of a recipe called `what`, if it is one that can be shown as it is.
///
/// # Errors
/// [`Error::Invalid`] for a text that is too long or no UTF-8, that holds control characters, or is a web page.
pub fn sound(what: &str, bytes: Vec<u8>) -> Result<String> {
    if bytes.len() as u64 > MOST {
        return Err(too_long(what));
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|error| Error::invalid(what, "a text in UTF-8", error.utf8_error()))?;
    // Editors on Windows put a byte-order mark first, and end lines in two characters.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    for (number, line) in text.lines().enumerate() {
        if let Some(found) = line.chars().find(|c| treacherous(*c)) {
            let found = format!("U+{:04X} in line {}", u32::from(found), number + 1);
            return Err(Error::invalid(
                what,
                "a text without control characters",
                found,
            ));
        }
    }
    if text.trim_start().starts_with('<') {
        let found = "a web page; give the address of the file itself";
        return Err(Error::invalid(what, "a script", found));
    }
    Ok(text)
}

/// Reads the file at `path` as [`sound`] text.
///
/// # Errors
/// [`Error::Io`] where it cannot be read; [`Error::Invalid`] for another thing than a file, and as [`sound`].
pub fn read(path: &Path) -> Result<String> {
    let what = path.display().to_string();
    let io = |error| Error::io("read", path)(error);
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::invalid(what, "a file", "none"));
    }
    let mut bytes = Vec::new();
    // One byte more tells a file that is too long from one that just fits.
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(io)?;
    sound(&what, bytes)
}

/// The error of a text beyond [`MOST`].
pub(super) fn too_long(what: &str) -> Error {
    Error::invalid(
        what,
        format!("a text of at most {MOST} bytes"),
        "a longer one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_refused_and_never_shown() {
        for text in ["a\u{1b}[2J", "a\u{202e}b", "a\u{7}", "a\u{9b}31m", "a\rb"] {
            assert!(sound("recipe", text.into()).is_err(), "{text:?}");
            assert!(!plain(text).chars().any(treacherous), "{text:?}");
        }
        assert_eq!(plain("two\nlines\u{1b}[31m"), "two lines[31m");
    }

    #[test]
    fn lines_of_windows_become_plain_ones() {
        let text = sound("recipe", "\u{feff}fn a() {\r\n}\r\n".into()).unwrap();
        assert_eq!(text, "fn a() {\n}\n");
    }

    #[test]
    fn a_text_has_bounds_and_an_encoding() {
        assert!(sound("recipe", vec![b' '; MOST as usize + 1]).is_err());
        assert!(sound("recipe", vec![b' '; MOST as usize]).is_ok());
        assert!(sound("recipe", vec![0xff, 0xfe]).is_err());
    }
}
