//! A network as a stand-alone crate for Burn: `Cargo.toml`, readable code, weights. Knows networks and
//! weights on the host.

mod forward;
mod layers;
mod model;

use std::fs;
use std::path::Path;

use super::Existing;
use crate::arrays;
use crate::child::weights::Weights;
use crate::error::{Error, Result};
use crate::network::Network;

/// The version of Burn that the code is written for; the one that this program is built with.
const BURN: &str = "0.22.1";

/// What a `Cargo.toml` of ours has, so that a crate of ours is known again.
const MARK: &str = "[package.metadata.nas-script]";

const WEIGHTS: &str = "weights.safetensors";

/// Writes the crate of `network` with `weights` into the folder `path`.
///
/// # Errors
/// [`Error::Invalid`] where the network does not lead from an image to a flat output, or where the
/// folder has files in it, unless `existing` allows to replace a crate that this function wrote;
/// [`Error::Io`] where it cannot be written.
pub(super) fn write(
    network: &Network,
    weights: &Weights,
    path: &Path,
    existing: Existing,
) -> Result<()> {
    let layers = layers::Layers::of(network);
    let name = package_name(path);
    let files = [
        ("Cargo.toml", manifest(network, &name)),
        ("README.md", readme(network, &name)),
        ("src/lib.rs", library(network, &name)),
        ("src/main.rs", program(&name)),
        ("src/model.rs", model::source(network, &layers)),
    ];
    prepare(path, existing)?;
    // The manifest comes last: without it there is no crate.
    arrays::save(&path.join(WEIGHTS), &layers.arrays(network, weights), None)?;
    for (file, content) in files.iter().rev() {
        arrays::replace(&path.join(file), content.as_bytes())?;
    }
    Ok(())
}

/// Makes the folder, which must be new, empty, or a crate that may be replaced.
fn prepare(path: &Path, existing: Existing) -> Result<()> {
    let sources = path.join("src");
    let filled = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    let ours = || fs::read_to_string(path.join("Cargo.toml")).is_ok_and(|text| text.contains(MARK));
    if filled && !(existing == Existing::Replace && ours()) {
        let found = format!("{} with files in it", path.display());
        return Err(Error::invalid("export", "a new or empty folder", found));
    }
    fs::create_dir_all(&sources).map_err(Error::io("create folder", &sources))
}

/// The folder's name as a package's.
fn package_name(path: &Path) -> String {
    let folder = path.file_name().unwrap_or_default().to_string_lossy();
    let name: String = folder
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_') => c,
            _ => '-',
        })
        .collect();
    let name = name.trim_matches(['-', '_']);
    // A package may not be called like a keyword or a crate that it uses, nor start with a digit.
    let distinct = name.contains(['-', '_']) && !name.starts_with("burn");
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && distinct {
        name.into()
    } else if name.is_empty() {
        "nas-model".into()
    } else {
        format!("nas-{name}")
    }
}

fn manifest(network: &Network, name: &str) -> String {
    format!(
        "\
[package]
name = \"{name}\"
version = \"0.1.0\"
edition = \"2024\"
rust-version = \"1.95\"
publish = false

{MARK}
network = \"{digest}\"

[dependencies]
# A feature such as \"cuda\" or \"wgpu\" adds a GPU, \"autodiff\" and \"optim\" training.
burn = {{ version = \"={BURN}\", default-features = false, features = [
    \"std\",
    \"flex\",
    \"simd\",
    \"rayon\",
] }}
burn-store = {{ version = \"={BURN}\", default-features = false, features = [
    \"std\",
    \"safetensors\",
] }}

[profile.dev]
opt-level = 3

[workspace]
",
        digest = network.digest()
    )
}

fn readme(network: &Network, name: &str) -> String {
    let [channels, height, width] = model::image(network);
    format!(
        "\
# {name}

A network of {params} parameters, found and exported by `nas-script`, for [Burn](https://burn.dev) {BURN}.
The code is `src/model.rs`; `Model::load(\"{WEIGHTS}\", &device)` and `model.forward(images)` predict.
`cargo run --release IMAGES` prints the logits of a file of raw little-endian f32 images,
`[n, {channels}, {height}, {width}]`, normalised as in training (NumPy: `images.astype(\"<f4\").tofile(IMAGES)`).
",
        params = network.params()
    )
}

fn library(network: &Network, name: &str) -> String {
    format!(
        "\
//! `{name}`: a network of {} parameters with its weights.

mod model;

pub use model::Model;
",
        network.params()
    )
}

fn program(name: &str) -> String {
    let library = name.replace('-', "_");
    format!(
        "\
//! Prints the logits of a file of raw little-endian f32 images, a line an image.

use std::error::Error;

use burn::tensor::{{Device, Tensor, TensorData}};
use {library}::Model;

fn main() -> Result<(), Box<dyn Error>> {{
    let path = std::env::args().nth(1).ok_or(\"expected a file of images\")?;
    let bytes = std::fs::read(path)?;
    let values: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect();
    let [channels, height, width] = Model::IMAGE;
    let batch = values.len() / (channels * height * width);
    if bytes.len() != 4 * batch * channels * height * width {{
        return Err(format!(\"expected images of shape {{:?}}\", Model::IMAGE).into());
    }}

    let device = Device::flex();
    let model = Model::from_bytes(include_bytes!(\"../{WEIGHTS}\"), &device)?;
    let images = TensorData::new(values, [batch, channels, height, width]);
    let logits = model.forward(Tensor::from_data(images, &device));
    let logits: Vec<f32> = logits.into_data().try_into_vec()?;
    for row in logits.chunks(Model::CLASSES) {{
        let row: Vec<String> = row.iter().map(f32::to_string).collect();
        println!(\"{{}}\", row.join(\" \"));
    }}
    Ok(())
}}
"
    )
}
