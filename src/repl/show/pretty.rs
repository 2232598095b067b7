//! Lists and objects on one line where they fit, else indented, and without what is too much. Knows the values of the
//! language; objects of the host come as the text that they print.

use std::cell::Cell;

use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::report::table::cut;

/// The width that a line is to have at most.
const WIDTH: usize = 88;
/// How many elements of a list or object are shown.
const ELEMENTS: usize = 24;
/// How many elements are shown in all, those inside others too.
const ALL: usize = 400;
/// How deep lists and objects are shown in each other.
const DEPTH: usize = 6;
/// How much of a text in a list or object is shown.
const TEXT: usize = 200;

/// `value`, of which `text` tells what an object of the host prints.
pub(super) fn pretty(value: &Dynamic, text: &dyn Fn(&Dynamic) -> String) -> String {
    let left = Cell::new(ALL);
    laid(&Shaping { text, left }.shape(value, 0), 0)
}

/// A float with as many digits as people read: 0.1 + 0.2 is 0.3.
pub(super) fn float(value: f64) -> String {
    let rounded = format!("{value:.9e}").parse::<f64>();
    format!("{:?}", rounded.unwrap_or(value))
}

/// A value as text, in parts where it has some.
enum Shape {
    Leaf(String),
    Parts {
        open: &'static str,
        close: &'static str,
        parts: Vec<(Option<String>, Shape)>,
        /// How many elements are left out.
        more: usize,
    },
}

struct Shaping<'a> {
    text: &'a dyn Fn(&Dynamic) -> String,
    /// How many more elements may be shown.
    left: Cell<usize>,
}

impl Shaping<'_> {
    fn shape(&self, value: &Dynamic, depth: usize) -> Shape {
        if let Some(list) = value.read_lock::<Array>() {
            let parts = list.iter().map(|part| (None, part));
            return self.parts(["[", "]"], list.len(), parts, depth);
        }
        if let Some(object) = value.read_lock::<Map>() {
            let parts = object.iter().map(|(name, part)| (Some(key(name)), part));
            return self.parts(["#{", "}"], object.len(), parts, depth);
        }
        if let Ok(value) = value.as_float() {
            return Shape::Leaf(float(value));
        }
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return Shape::Leaf(format!("{:?}", cut(&text, TEXT)));
        }
        if value.is_unit() {
            return Shape::Leaf("()".into());
        }
        // Of what prints several lines, such as a network, the first tells what it is.
        let whole = (self.text)(value);
        let mut lines = whole.lines();
        let first = lines.next().unwrap_or_default();
        Shape::Leaf(match lines.next() {
            None => cut(first, TEXT),
            Some(_) => format!("{first} …"),
        })
    }

    fn parts<'a>(
        &self,
        [open, close]: [&'static str; 2],
        length: usize,
        parts: impl Iterator<Item = (Option<String>, &'a Dynamic)>,
        depth: usize,
    ) -> Shape {
        if length > 0 && (depth >= DEPTH || self.left.get() == 0) {
            return Shape::Leaf(format!("{open} … {close}"));
        }
        let mut shown = Vec::new();
        for (name, part) in parts.take(ELEMENTS) {
            if self.left.get() == 0 {
                break;
            }
            self.left.set(self.left.get() - 1);
            shown.push((name, self.shape(part, depth + 1)));
        }
        Shape::Parts {
            open,
            close,
            more: length - shown.len(),
            parts: shown,
        }
    }
}

/// A key as scripts write it.
fn key(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    match name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true if !name.is_empty() => name.into(),
        _ => format!("{name:?}"),
    }
}

/// The text of `shape`, whose first line begins `indent` characters in.
fn laid(shape: &Shape, indent: usize) -> String {
    let flat = flat(shape);
    let Shape::Parts {
        open,
        close,
        parts,
        more,
    } = shape
    else {
        return flat;
    };
    if indent + flat.chars().count() <= WIDTH {
        return flat;
    }
    let margin = " ".repeat(indent + 2);
    let plain = parts
        .iter()
        .all(|(name, part)| name.is_none() && matches!(part, Shape::Leaf(_)));
    if plain {
        return format!(
            "{open}\n{}{}{close}",
            filled(parts, *more, &margin),
            " ".repeat(indent)
        );
    }
    let mut text = format!("{open}\n");
    for (name, part) in parts {
        let name = name
            .as_ref()
            .map_or(String::new(), |name| format!("{name}: "));
        text += &format!("{margin}{name}{},\n", laid(part, indent + 2));
    }
    if *more > 0 {
        text += &format!("{margin}… {more} more\n");
    }
    text + " ".repeat(indent).as_str() + *close
}

/// Elements side by side, in lines that begin with `margin`.
fn filled(parts: &[(Option<String>, Shape)], more: usize, margin: &str) -> String {
    let (mut text, mut line) = (String::new(), margin.to_string());
    let elements = parts.iter().map(|(_, part)| format!("{},", flat(part)));
    for element in elements.chain((more > 0).then(|| format!("… {more} more"))) {
        let length = line.chars().count() + element.chars().count();
        if length > WIDTH && line.trim() != "" {
            text += &format!("{}\n", line.trim_end());
            line = margin.into();
        }
        line += &format!("{element} ");
    }
    format!("{text}{}\n", line.trim_end())
}

fn flat(shape: &Shape) -> String {
    match shape {
        Shape::Leaf(text) => text.clone(),
        Shape::Parts {
            open,
            close,
            parts,
            more,
        } => {
            let part = |(name, part): &(Option<String>, Shape)| match name {
                Some(name) => format!("{name}: {}", flat(part)),
                None => flat(part),
            };
            let mut all: Vec<String> = parts.iter().map(part).collect();
            if *more > 0 {
                all.push(format!("… {more} more"));
            }
            let inside = all.join(", ");
            match *open {
                "#{" if !inside.is_empty() => format!("{open} {inside} {close}"),
                _ => format!("{open}{inside}{close}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(script: &str) -> String {
        let engine = rhai::Engine::new();
        let value = engine.eval::<Dynamic>(script).unwrap();
        pretty(&value, &|value| value.to_string())
    }

    #[test]
    fn what_fits_is_on_one_line() {
        let text = "[1, #{ a: 0.3, b: \"x\\\"y\", \"c d\": [], e: () }]";
        assert_eq!(
            shown("[1, #{a: 0.1 + 0.2, b: \"x\\\"y\", \"c d\": [], e: ()}]"),
            text
        );
        assert_eq!(shown("#{}"), "#{}");
    }

    #[test]
    fn what_does_not_is_indented() {
        let wide = "x".repeat(60);
        let text = format!("#{{\n  a: [\n    \"{wide}\",\n    \"{wide}\",\n  ],\n  b: 1,\n}}");
        assert_eq!(
            shown(&format!("#{{b: 1, a: [\"{wide}\", \"{wide}\"]}}")),
            text
        );
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let shown = shown("let l = []; for i in 0..30 { l.push(i); } l");
        assert!(shown.contains(" 23,\n  … 6 more\n]"), "{shown}");
        assert_eq!(shown.lines().count(), 4, "{shown}");
        let deep = ["[".repeat(9), "]".repeat(9)].concat();
        assert_eq!(super::tests::shown(&deep), "[[[[[[[ … ]]]]]]]");
    }

    #[test]
    fn many_lists_in_lists_are_no_flood() {
        let shown = shown(
            "let l = 0; for i in 0..4 { let all = []; for j in 0..9 { all.push(l); } l = all; } l",
        );
        assert!(shown.len() < 20_000, "{} bytes", shown.len());
        assert!(shown.contains(" more\n]"), "{shown}");
    }

    #[test]
    fn floats_are_readable() {
        for (value, text) in [
            (0.1 + 0.2, "0.3"),
            (1.0, "1.0"),
            (1e-9, "1e-9"),
            (f64::NAN, "NaN"),
            (2.0 / 3.0, "0.6666666667"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
