//! The names of types: from Rust's to those that scripts know.

use std::collections::BTreeMap;

use rhai::Engine;

use super::comment;

/// What the engine knows of types.
pub(super) struct Types {
    /// The name in scripts by the last part of the name in Rust.
    shown: BTreeMap<String, String>,
    /// What a type is for, by its name in scripts.
    docs: BTreeMap<String, String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    custom_types: Vec<CustomType>,
    doc: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomType {
    type_name: String,
    display_name: String,
}

impl Types {
    pub(super) fn of(engine: &Engine) -> Self {
        // Types and the documentation of modules are to be had in this form only.
        let json = engine.gen_fn_metadata_to_json(false).unwrap_or_default();
        let metadata: Metadata = serde_json::from_str(&json).unwrap_or_default();
        let shown = metadata.custom_types.into_iter();
        let shown = shown.map(|t| (last(&t.type_name).to_string(), t.display_name));
        Self {
            shown: shown.collect(),
            docs: sections(&comment([metadata.doc.as_str()])),
        }
    }

    /// The types that the host has registered, with what they are for.
    pub(super) fn host(&self) -> impl Iterator<Item = (&str, &str)> {
        let doc = |name: &str| self.docs.get(name).map_or("", String::as_str);
        self.shown
            .values()
            .map(move |name| (name.as_str(), doc(name)))
    }

    /// The name that scripts know the type `rust` by; none for nothing.
    pub(super) fn shown(&self, rust: &str) -> Option<String> {
        let rust = rust.trim();
        let rust = rust.strip_prefix("&mut ").unwrap_or(rust);
        let rust = rust.strip_prefix('&').unwrap_or(rust).replace(' ', "");
        for wrapper in ["Scripted<", "RhaiResultOf<", "Result<"] {
            let inside = rust
                .split_once(wrapper)
                .filter(|(before, _)| before.is_empty() || before.ends_with("::"));
            if let Some((_, inside)) = inside {
                let inside = inside.strip_suffix('>').unwrap_or(inside);
                let inside = inside.strip_suffix(",Box<EvalAltResult>").unwrap_or(inside);
                return self.shown(inside);
            }
        }
        let name = match last(&rust) {
            "" | "()" => return None,
            "i64" | "INT" => "int",
            "f64" | "FLOAT" => "float",
            "str" | "String" | "ImmutableString" => "string",
            "Array" | "Vec<Dynamic>" => "array",
            "Map" => "map",
            "Blob" => "blob",
            "FnPtr" => "function",
            "Dynamic" | "RhaiResult" | "?" | "_" => "any",
            name if name.contains("Range") => "range",
            name if name.ends_with("Stream") => "iterator",
            name => self.shown.get(name).map_or(name, String::as_str),
        };
        Some(name.to_string())
    }
}

/// The last part of a path, with its generics.
fn last(path: &str) -> &str {
    let plain = path.find('<').map_or(path, |at| &path[..at]);
    plain.rfind("::").map_or(path, |at| &path[at + 2..])
}

/// The parts of a documentation that headings `# Name` begin, by their names.
fn sections(doc: &str) -> BTreeMap<String, String> {
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut name = None;
    for line in doc.lines() {
        if let Some(heading) = line.strip_prefix("# ") {
            name = Some(heading.trim().to_string());
        } else if let Some(name) = &name {
            let section = sections.entry(name.clone()).or_default();
            section.push_str(line);
            section.push('\n');
        }
    }
    for section in sections.values_mut() {
        *section = section.trim().to_string();
    }
    sections
}
