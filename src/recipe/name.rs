//! What a recipe may be called.

use crate::error::{Error, Result};

/// The longest name.
const LONGEST: usize = 64;

/// Checks that `name` can be the name of an added recipe: it becomes a file's name and a path to import.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check(name: &str) -> Result<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if name == "nas" || name.starts_with("nas/") {
        let expected = "a name that is not the standard library's, which nothing replaces";
        return Err(Error::invalid("recipe", expected, format!("{name:?}")));
    }
    if !starts || !name.chars().all(word) || name.len() > LONGEST {
        let expected = format!(
            "a name of at most {LONGEST} letters, digits, '_' and '-' that begins with a letter"
        );
        return Err(Error::invalid("recipe", expected, format!("{name:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_plain_words() {
        for name in ["a", "my-recipe", "My_Recipe2"] {
            super::check(name).unwrap();
        }
        let long = "x".repeat(65);
        for name in [
            "",
            "nas",
            "nas/random",
            "..",
            "../a",
            "a/b",
            "a.b",
            "/a",
            "a b",
            "2a",
            "a\u{1b}",
            "a\\b",
            "é",
            &long,
        ] {
            assert!(super::check(name).is_err(), "{name:?}");
        }
    }
}
