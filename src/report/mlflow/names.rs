//! Names and values as MLflow takes them. What it refuses in one of them, it refuses in a whole request.

use std::collections::BTreeMap;

/// The longest name of a parameter or a metric, in characters.
const NAME: usize = 250;
/// The longest value of a parameter, in characters.
const VALUE: usize = 6_000;

/// `text` with at most `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Letters and digits that Python's `\w` knows as well: of large alphabets those that are plain in every version of Unicode.
fn is_word(sign: char) -> bool {
    let known = matches!(
        sign,
        '\0'..='\u{2ff}'
            | '\u{370}'..='\u{481}'
            | '\u{48a}'..='\u{52f}'
            | '\u{3041}'..='\u{3096}'
            | '\u{30a1}'..='\u{30fa}'
            | '\u{4e00}'..='\u{9fa5}'
            | '\u{ac00}'..='\u{d7a3}'
    );
    known && sign.is_alphanumeric()
}

/// `text` as the name of a parameter or a metric: words, and a path that leads nowhere else.
pub(super) fn key(text: &str) -> String {
    let plain = |sign: char| match is_word(sign) || "_-. /".contains(sign) {
        true => sign,
        false => '_',
    };
    let plain: String = text.chars().take(NAME).map(plain).collect();
    let part = |part: &str| match part {
        "" | "." | ".." => "_".repeat(part.len().max(1)),
        other => other.into(),
    };
    let parts: Vec<String> = plain.split('/').map(part).collect();
    cut(&parts.join("/"), NAME)
}

/// Parameters as MLflow takes them, with the names of those whose values were cut.
pub(super) fn params(given: &BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut params, mut shortened) = (BTreeMap::new(), Vec::new());
    // Those that keep their names come first, so that no other takes one.
    let (plain, others): (Vec<_>, Vec<_>) = given.iter().partition(|(name, _)| key(name) == **name);
    for (name, value) in plain.into_iter().chain(others) {
        let wanted = key(name);
        let mut known = wanted.clone();
        let mut n = 1;
        while params.contains_key(&known) {
            n += 1;
            known = format!("{}_{n}", cut(&wanted, NAME - 10));
        }
        if value.chars().count() > VALUE {
            shortened.push(known.clone());
        }
        params.insert(known, cut(value, VALUE));
    }
    (params, shortened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_paths_that_lead_nowhere_else() {
        let keys = [
            "layer 1/k-x.y_z",
            "<script>",
            "größe",
            "a//b",
            "../x",
            "/x",
            ".",
            "",
            "🙂",
        ];
        let taken = [
            "layer 1/k-x.y_z",
            "_script_",
            "größe",
            "a/_/b",
            "__/x",
            "_/x",
            "_",
            "_",
            "_",
        ];
        assert_eq!(keys.map(key), taken);
        assert_eq!(key(&"ä/".repeat(5_000)).chars().count(), NAME);
    }

    #[test]
    fn names_that_come_out_alike_are_told_apart() {
        let long = "x".repeat(VALUE + 1);
        let given = [
            ("a<", "1"),
            ("a>", "2"),
            ("a_", "3"),
            ("long", long.as_str()),
        ];
        let given = given.map(|(name, value)| (name.to_string(), value.to_string()));
        let (params, shortened) = params(&given.into());
        let named = |name: &str| params[name].as_str();
        assert_eq!((named("a_"), named("a__2"), named("a__3")), ("3", "1", "2"));
        assert_eq!(
            (params["long"].len(), shortened),
            (VALUE, vec!["long".to_string()])
        );
    }
}
