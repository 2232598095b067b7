//! Networks and trained weights as files that run, or are read, elsewhere. Knows networks and weights
//! on the host, not where they come from.

mod burn_crate;
pub mod onnx;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::tensor::Device;

use super::forward::Child;
use super::weights::Weights;
use crate::arrays;
use crate::error::{Error, Result};
use crate::network::{Network, diagram};
use crate::seed::Seed;

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ONNX, opset 18, with the weights in the file and a batch of any size.
    Onnx,
    /// The weights as safetensors, with the network's JSON in a file beside it.
    Safetensors,
    /// A folder with a stand-alone Rust crate for Burn, weights included.
    Burn,
    /// The network alone, without weights.
    Json,
    /// A picture of the network.
    Svg,
    /// The network as a Mermaid flowchart.
    Mermaid,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Onnx,
        Self::Safetensors,
        Self::Burn,
        Self::Json,
        Self::Svg,
        Self::Mermaid,
    ];

    /// The name: `onnx`, `safetensors`, `burn`, `json`, `svg` or `mermaid`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
            Self::Burn => "burn",
            Self::Json => "json",
            Self::Svg => "svg",
            Self::Mermaid => "mermaid",
        }
    }

    /// The ending of a file of this format; `None` for a folder.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Burn => None,
            Self::Mermaid => Some("mmd"),
            format => Some(format.name()),
        }
    }

    /// Whether it holds weights, or the network alone.
    pub fn has_weights(self) -> bool {
        matches!(self, Self::Onnx | Self::Safetensors | Self::Burn)
    }

    /// The format that the ending of `path` asks for: `.onnx`, `.safetensors`, `.json`, `.svg`, `.mmd`;
    /// none is a Burn crate's folder.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another ending.
    pub fn of_path(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy());
        let ending = ending.as_deref();
        let format = Self::ALL.into_iter().find(|f| f.extension() == ending);
        format.ok_or_else(|| {
            let endings = Self::ALL.iter().filter_map(|format| format.extension());
            let endings: Vec<_> = endings.map(|ending| format!(".{ending}")).collect();
            let expected = format!(
                "a file that ends in {}, or the folder of a Burn crate, without an ending",
                endings.join(", ")
            );
            Error::invalid("export", expected, path.display())
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|format| format.name() == name);
        known.ok_or_else(|| Error::unknown("format", name, Self::ALL.map(Self::name)))
    }
}

/// What happens to files that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They stay: the export is refused.
    Keep,
    /// A file is replaced, and so is a crate's folder, if it is a crate of ours.
    Replace,
}

/// The files that an export to `path` makes; of a crate, the folder.
pub fn targets(format: Format, path: &Path) -> Vec<PathBuf> {
    match format {
        Format::Safetensors => vec![path.to_path_buf(), path.with_extension("json")],
        _ => vec![path.to_path_buf()],
    }
}

/// Writes `network` to `path`, with `weights` where the format has them. A file appears whole or not at
/// all. Folders above are made.
///
/// # Errors
/// [`Error::Invalid`] where weights are needed and missing or not the network's, where the format does
/// not know such a network, or where `existing` keeps what is there; [`Error::Io`] where it cannot be
/// written.
pub fn write(
    network: &Network,
    weights: Option<&Weights>,
    format: Format,
    path: &Path,
    existing: Existing,
) -> Result<()> {
    let weights = || {
        let missing = || Error::invalid(format!("export to {format}"), "weights", "none");
        let weights = weights.ok_or_else(missing)?;
        // Tells of arrays that are missing, too many, or of another shape.
        Child::with_weights(network, weights, &Device::flex()).map(|_| weights)
    };
    let write = |content: &[u8]| {
        free(&targets(format, path), existing)?;
        make_room(path)?;
        arrays::replace(path, content)
    };
    match format {
        Format::Onnx => write(&onnx::model(network, weights()?)?),
        Format::Safetensors => {
            let weights = weights()?;
            free(&targets(format, path), existing)?;
            make_room(path)?;
            weights.save(path)?;
            arrays::replace(&path.with_extension("json"), json(network)?.as_bytes())
        }
        Format::Burn => burn_crate::write(network, weights()?, path, existing),
        Format::Json => write(json(network)?.as_bytes()),
        Format::Svg => write(diagram::svg(network)?.as_bytes()),
        Format::Mermaid => write(diagram::mermaid(network).as_bytes()),
    }
}

/// The weights that `network` has before it is trained, with the seed of its evaluation.
///
/// # Errors
/// As [`Child::build`].
pub fn untrained(network: &Network, seed: Seed) -> Result<Weights> {
    Child::build(network, seed, &Device::flex())?.weights()
}

/// Refuses to overwrite, if files are to be kept; a link is as good as a file.
fn free(targets: &[PathBuf], existing: Existing) -> Result<()> {
    let taken = targets.iter().find(|path| path.symlink_metadata().is_ok());
    match taken {
        Some(path) if existing == Existing::Keep => {
            let found = format!("{}, which is there already", path.display());
            Err(Error::invalid("export", "a new file", found))
        }
        _ => Ok(()),
    }
}

fn make_room(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(Error::io("create folder", folder)),
        None => Ok(()),
    }
}

fn json(network: &Network) -> Result<String> {
    let json = serde_json::to_string_pretty(network);
    json.map(|text| text + "\n")
        .map_err(|error| Error::invalid("network", "plain data", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_its_format() {
        for (path, format) in [
            ("runs/x-1/best.onnx", Format::Onnx),
            ("a.b.safetensors", Format::Safetensors),
            ("network.json", Format::Json),
            ("a/b.svg", Format::Svg),
            ("b.mmd", Format::Mermaid),
            ("crates/mine", Format::Burn),
        ] {
            assert_eq!(Format::of_path(Path::new(path)).unwrap(), format);
        }
        let error = Format::of_path(Path::new("model.pt")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "export: expected a file that ends in .onnx, .safetensors, .json, .svg, .mmd, or the folder \
             of a Burn crate, without an ending, found model.pt"
        );
    }

    #[test]
    fn a_format_is_known_by_name() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
        }
        let error = "onxx".parse::<Format>().unwrap_err().to_string();
        assert_eq!(error, "unknown format 'onxx'; did you mean 'onnx'?");
    }
}
