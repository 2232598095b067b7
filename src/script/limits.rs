//! What a script may use: the limits of the sandbox, their defaults, and the file that sets others. Knows no
//! script; `meter.rs` counts, `engine` and the host calls ask here.

use std::num::NonZero;
use std::path::Path;

use serde_json::{Map, Value};

use super::options::plain;
use crate::error::{Error, Result};
use crate::manager::{ManagerConfig, Terms};
use crate::network::{Network, TrainingStep};

/// The most that a script may use of each thing; `None`: as much as it wants.
///
/// Scripts are untrusted. The defaults let any honest search run, such as one of a hundred thousand trials over a
/// day, and stop one that loops, floods or hoards within seconds. `operations`, `seconds` and `printed` count from
/// the last time that the host did real work for the script: trained a child, looked up a new row of a table,
/// updated a controller, or was busy for a tenth of a second.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Operations of the interpreter between two pieces of the host's work. Default 50,000,000.
    pub operations: Option<u64>,
    /// Seconds between two pieces of the host's work. Default 6.
    pub seconds: Option<f64>,
    /// Bytes printed between two pieces of the host's work. Default 16 MiB.
    pub printed: Option<u64>,
    /// Bytes of the script's own values: growth of the resident memory that is not the host's. Known on Linux. Default
    /// 256 MiB; sixteen times as much while children train in the same process, since what is theirs cannot be told
    /// apart.
    pub memory: Option<u64>,
    /// How deep functions call each other, at most 64. Default 64.
    pub call_depth: Option<u64>,
    /// How deep expressions nest, at most 256; half of it within functions. Default 256.
    pub expression_depth: Option<u64>,
    /// Bytes of a string. Default 2 MiB.
    pub string_size: Option<u64>,
    /// Elements of a list with those of the lists inside. Default 2,000,000.
    pub array_size: Option<u64>,
    /// Keys of an object with those of the objects inside. Default 100,000.
    pub map_size: Option<u64>,
    /// Variables at any one time. Default 10,000.
    pub variables: Option<u64>,
    /// Functions that one file defines. Default 2,000.
    pub functions: Option<u64>,
    /// Modules that are imported. Default 256.
    pub modules: Option<u64>,
    /// Bytes of the text of a script or module. Default 128 KiB.
    pub source_size: Option<u64>,
    /// Bytes of a file that a script names: a table, a saved controller. Default 256 MiB.
    pub file_size: Option<u64>,
    /// Bytes of pixels of a data set. What all that a script opens have beyond it counts as `memory`. Default 4 GiB.
    pub data_size: Option<u64>,
    /// Bytes that a script writes: exports and saved controllers. Default 10 GiB.
    pub written: Option<u64>,
    /// Trials of the study. Default 1,000,000.
    pub trials: Option<u64>,
    /// Children that are trained in a session. Default 1,000,000.
    pub children: Option<u64>,
    /// Trainable parameters of a child. Default 1,000,000,000.
    pub params: Option<u64>,
    /// Bytes that a child takes in training, as `net.memory`. Default 16 GiB.
    pub child_memory: Option<u64>,
    /// Epochs of a child. Default 10,000.
    pub epochs: Option<u64>,
    /// Runs of one `replicate`. Default 10,000.
    pub replicas: Option<u64>,
    /// Hours that a session takes. Default 720.
    pub hours: Option<f64>,
}

/// How deep functions may call each other without harm to the stack.
const MOST_CALLS: u64 = 64;
/// How deep expressions may nest without harm to the stack.
const MOST_NESTED: u64 = 256;

/// The most seeds of one network.
const MOST_REPEATS: usize = 1000;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: Some(50_000_000),
            seconds: Some(6.0),
            printed: Some(16 * MIB),
            memory: Some(256 * MIB),
            call_depth: Some(MOST_CALLS),
            expression_depth: Some(MOST_NESTED),
            string_size: Some(2 * MIB),
            array_size: Some(2_000_000),
            map_size: Some(100_000),
            variables: Some(10_000),
            functions: Some(2_000),
            modules: Some(256),
            source_size: Some(128 * KIB),
            file_size: Some(256 * MIB),
            data_size: Some(4 * GIB),
            written: Some(10 * GIB),
            trials: Some(1_000_000),
            children: Some(1_000_000),
            params: Some(1_000_000_000),
            child_memory: Some(16 * GIB),
            epochs: Some(10_000),
            replicas: Some(10_000),
            hours: Some(720.0),
        }
    }
}

impl Limits {
    /// The names of all limits, as in a file.
    pub const NAMES: &[&str] = &[
        "operations",
        "seconds",
        "printed",
        "memory",
        "call_depth",
        "expression_depth",
        "string_size",
        "array_size",
        "map_size",
        "variables",
        "functions",
        "modules",
        "source_size",
        "file_size",
        "data_size",
        "written",
        "trials",
        "children",
        "params",
        "child_memory",
        "epochs",
        "replicas",
        "hours",
    ];

    /// No limits, but for the depths that keep the stack whole.
    pub fn none() -> Self {
        let none = Self::NAMES.iter().map(|name| ((*name).into(), Value::Null));
        // Every limit can be absent: see the test.
        serde_json::from_value(Value::Object(none.collect())).unwrap_or_default()
    }

    /// Limits for a script of which nothing is known: enough to try a recipe on a small problem.
    pub fn strict() -> Self {
        Self {
            operations: Some(10_000_000),
            seconds: Some(2.0),
            printed: Some(MIB),
            memory: Some(128 * MIB),
            call_depth: Some(32),
            expression_depth: Some(64),
            string_size: Some(256 * KIB),
            array_size: Some(200_000),
            map_size: Some(10_000),
            variables: Some(500),
            functions: Some(500),
            modules: Some(32),
            source_size: Some(64 * KIB),
            file_size: Some(16 * MIB),
            data_size: Some(128 * MIB),
            written: Some(256 * MIB),
            trials: Some(1_000),
            children: Some(100),
            params: Some(10_000_000),
            child_memory: Some(GIB / 2),
            epochs: Some(50),
            replicas: Some(16),
            hours: Some(1.0),
        }
    }

    /// The limits that `--limits` names: `none`, `strict`, or a TOML or JSON (`.json`) file that sets some of them
    /// otherwise than the defaults. In a file, `"none"` lifts a limit.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, [`Error::Unknown`] for a name with the nearest that is one,
    /// [`Error::Invalid`] for a value that is no limit.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "none" => Ok(Self::none()),
            "strict" => Ok(Self::strict()),
            file => {
                let path = Path::new(file);
                if !path.exists() {
                    let expected = "none, strict or a file";
                    return Err(Error::invalid("--limits", expected, format!("'{file}'")));
                }
                let text = std::fs::read_to_string(path).map_err(Error::io("read limits", path))?;
                Self::parse(&text, path)
            }
        }
    }

    /// The limits that the text of the file `path` sets.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let json = path.extension().is_some_and(|ending| ending == "json");
        let wrong = |format: &str, found: String| Error::invalid(file.clone(), format, found);
        let given: Map<String, Value> = if json {
            serde_json::from_str(text).map_err(|e| wrong("a JSON object", e.to_string()))?
        } else {
            let first = |e: toml::de::Error| e.message().to_string();
            toml::from_str(text).map_err(|e| wrong("TOML", first(e)))?
        };
        Self::of(given, &file)
    }

    /// The limits that `given` sets, which came from `file`.
    fn of(mut given: Map<String, Value>, file: &str) -> Result<Self> {
        for (name, value) in &mut given {
            if !Self::NAMES.contains(&name.as_str()) {
                return Err(Error::unknown("limit", name, Self::NAMES.iter().copied()));
            }
            if value == "none" {
                *value = Value::Null;
            }
        }
        let limits: Self = serde_path_to_error::deserialize(Value::Object(given)).map_err(|e| {
            let name = e.path().to_string();
            let (expected, found) = plain(&e.into_inner().to_string());
            let expected = format!("{expected}, or \"none\"");
            Error::invalid(format!("limit '{name}' of {file}"), expected, found)
        })?;
        limits.check(file)?;
        Ok(limits)
    }

    fn check(&self, file: &str) -> Result<()> {
        let depths = [
            ("call_depth", self.call_depth, MOST_CALLS),
            ("expression_depth", self.expression_depth, MOST_NESTED),
        ];
        for (name, depth, most) in depths {
            if let Some(depth) = depth.filter(|depth| !(1..=most).contains(depth)) {
                let what = format!("limit '{name}' of {file}");
                return Err(Error::invalid(what, format!("1 to {most}"), depth));
            }
        }
        for (name, value) in [("seconds", self.seconds), ("hours", self.hours)] {
            if let Some(value) = value.filter(|v| !(v.is_finite() && *v > 0.0)) {
                let what = format!("limit '{name}' of {file}");
                return Err(Error::invalid(what, "a number above 0", value));
            }
        }
        Ok(())
    }

    /// Sets the limits that the interpreter itself keeps.
    pub(super) fn apply(&self, engine: &mut rhai::Engine) {
        // Rhai takes 0 for no limit of sizes.
        let size = |most: Option<u64>| most.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let count =
            |most: Option<u64>| usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let depth = count(self.expression_depth).min(MOST_NESTED as usize);
        engine.set_max_expr_depths(depth, depth.div_ceil(2));
        engine.set_max_call_levels(count(self.call_depth).min(MOST_CALLS as usize));
        engine.set_max_string_size(size(self.string_size));
        engine.set_max_array_size(size(self.array_size));
        engine.set_max_map_size(size(self.map_size));
        engine.set_max_variables(count(self.variables));
        engine.set_max_functions(count(self.functions));
        engine.disable_symbol("eval");
    }
}

impl Limits {
    /// Fails if a child like `network` costs too much to be built for `step`.
    pub(super) fn child(&self, network: &Network, step: &TrainingStep) -> Result<()> {
        within("parameters", "params", self.params, network.params())?;
        match self.child_memory {
            Some(most) => {
                let bytes = network.memory(step);
                within("bytes of memory", "child_memory", Some(most), bytes)
            }
            None => Ok(()),
        }
    }

    /// The settings of a manager whose children are within these limits.
    pub(super) fn bound(&self, mut config: ManagerConfig) -> Result<ManagerConfig> {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        config.max_params = least(config.max_params, self.params);
        config.max_memory = least(config.max_memory, self.child_memory);
        repeats(config.repeats)?;
        Ok(config)
    }

    /// Fails if children are to be evaluated on `terms` that are too much.
    pub(super) fn terms(&self, terms: &Terms) -> Result<()> {
        let epochs = terms.epochs.map_or(0, |epochs| epochs.get() as u64);
        within("epochs", "epochs", self.epochs, epochs)?;
        repeats(terms.repeats)
    }
}

/// Fails for too many seeds of one network.
fn repeats(repeats: Option<NonZero<usize>>) -> Result<()> {
    match repeats.filter(|repeats| repeats.get() > MOST_REPEATS) {
        Some(repeats) => {
            let expected = format!("1 to {MOST_REPEATS}");
            Err(Error::invalid("option 'repeats'", expected, repeats))
        }
        None => Ok(()),
    }
}

/// A guard against slips, of values that a call makes at once.
///
/// # Errors
/// [`Error::Invalid`] where `found` is more than `most`.
pub(super) fn guard(what: &str, most: u64, found: u64) -> Result<()> {
    match found > most {
        true => Err(Error::invalid(what, format!("at most {most}"), found)),
        false => Ok(()),
    }
}

/// Fails if `found` of `what` is more than the limit called `name`.
pub(super) fn within(what: &str, name: &'static str, most: Option<u64>, found: u64) -> Result<()> {
    match most.filter(|most| found > *most) {
        Some(most) => Err(Error::Limit {
            what: what.into(),
            name,
            most,
            found,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Limits> {
        Limits::parse(text, Path::new("limits.toml"))
    }

    #[test]
    fn a_file_sets_what_it_names_and_leaves_the_rest() {
        let limits = toml("seconds = 1.5\nmemory = 1000\ntrials = \"none\"").unwrap();
        let expected = Limits {
            seconds: Some(1.5),
            memory: Some(1000),
            trials: None,
            ..Limits::default()
        };
        assert_eq!(limits, expected);
        let json = Limits::parse("{\"epochs\": 3}", Path::new("limits.json")).unwrap();
        assert_eq!(json.epochs, Some(3));
        assert_eq!(json.memory, Limits::default().memory);
    }

    #[test]
    fn none_lifts_every_limit() {
        let none = Limits::none();
        assert_eq!(
            (none.operations, none.hours, none.params),
            (None, None, None)
        );
        for name in Limits::NAMES {
            let lifted = toml(&format!("{name} = \"none\"")).unwrap();
            assert_ne!(lifted, Limits::default(), "{name} is no limit");
        }
    }

    #[test]
    fn a_slip_in_a_file_is_named() {
        let message = |text| toml(text).unwrap_err().to_string();
        let slip = message("opertions = 5");
        assert!(slip.contains("did you mean 'operations'?"), "{slip}");
        let value = message("trials = -1");
        assert!(value.contains("limit 'trials' of limits.toml"), "{value}");
        assert!(message("call_depth = 65").contains("1 to 64"));
        assert!(message("seconds = 0.0").contains("above 0"));
        assert!(message("seconds").contains("expected TOML"));
    }
}
