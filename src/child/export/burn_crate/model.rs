//! `src/model.rs` of an exported crate: the module with its layers and its forward pass, as one writes
//! it by hand. Knows no files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::forward::{Forward, Helper, WIDTH, fill, forward};
use super::layers::{Layer, Layers};
use crate::network::Network;

/// The longest chain of calls that stands in one line, as `rustfmt` has it.
const CHAIN: usize = 60;

/// What is said of a model in parts.
const PARTS: &str = "\
///
/// The layers are in parts: to derive a module of hundreds of fields takes a compiler minutes.
";

/// The text of `src/model.rs`.
pub(super) fn source(network: &Network, layers: &Layers) -> String {
    let forward = forward(network, layers);
    let [channels, height, width] = image(network);
    let classes = network.shape().first().copied().unwrap_or(0);
    let parts = layers.parts();
    let (fields, made) = match parts.len() {
        0 => (declared(&layers.all), made(&layers.all)),
        count => (1..=count).map(part).unzip(),
    };
    let mut text = format!(
        "\
//! The network: layers, forward pass, and the loading of its weights.

use std::path::Path;

{imports}
/// A network from `[batch, {channels}, {height}, {width}]` images to `[batch, {classes}]` logits.
{why}#[derive(Module, Debug)]
pub struct Model {{
{fields}}}

impl Model {{
    /// The shape of an image: channels, height, width.
    pub const IMAGE: [usize; 3] = [{channels}, {height}, {width}];
    /// The number of logits of an image.
    pub const CLASSES: usize = {classes};

    /// Makes the layers with random weights.
    pub fn new(device: &Device) -> Self {{
        Self {{
{made}        }}
    }}

    /// Makes the model with the weights of a safetensors file.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, SafetensorsStoreError> {{
        Self::new(device).with_weights(SafetensorsStore::from_file(path.as_ref()))
    }}

    /// Makes the model with the weights of a safetensors file in memory.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, SafetensorsStoreError> {{
        Self::new(device).with_weights(SafetensorsStore::from_bytes(Some(bytes.to_vec())))
    }}

    fn with_weights(mut self, mut store: SafetensorsStore) -> Result<Self, SafetensorsStoreError> {{
        self.load_from(&mut store)?;
        Ok(self)
    }}

    /// The logits of normalised images.
    ///
    /// # Shapes
    /// - `images`: `[batch, {channels}, {height}, {width}]`
    /// - output: `[batch, {classes}]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {{
{body}    }}
}}
",
        imports = imports(layers, &forward),
        why = if parts.is_empty() { "" } else { PARTS },
        body = forward.body,
    );
    for (index, layers) in parts.into_iter().enumerate() {
        text.push_str(&part_source(index + 1, layers));
    }
    for helper in &forward.helpers {
        text.push('\n');
        text.push_str(helper.source());
    }
    text
}

/// The `[channels, height, width]` of an image; zeros for a network that takes none.
pub(super) fn image(network: &Network) -> [usize; 3] {
    network.input_shape().try_into().unwrap_or_default()
}

/// The field of the part with a number, and its value.
fn part(number: usize) -> (String, String) {
    (
        format!("    part{number}: Part{number},\n"),
        format!("            part{number}: Part{number}::new(device),\n"),
    )
}

/// The struct of a part of a large model.
fn part_source(number: usize, layers: &[Layer]) -> String {
    let (fields, made) = (declared(layers), made(layers));
    format!(
        "
#[derive(Module, Debug)]
struct Part{number} {{
{fields}}}

impl Part{number} {{
    fn new(device: &Device) -> Self {{
        Self {{
{made}        }}
    }}
}}
"
    )
}

/// The fields of `layers`.
fn declared(layers: &[Layer]) -> String {
    let field = |Layer { field, kind, .. }: &Layer| format!("    {field}: {kind},\n");
    layers.iter().map(field).collect()
}

/// The fields' values, each in one line or with a line for each call.
fn made(layers: &[Layer]) -> String {
    let value = |Layer { field, made, .. }: &Layer| {
        let line = made.join(".");
        match line.len() <= CHAIN {
            true => format!("            {field}: {line},\n"),
            false => {
                let lines = made.join("\n                .");
                format!("            {field}: {lines},\n")
            }
        }
    };
    layers.iter().map(value).collect()
}

/// The `use` lines, each name that is used and no other, in `rustfmt`'s order.
fn imports(layers: &Layers, forward: &Forward) -> String {
    let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut import = |module: &'static str, name: &str| {
        names.entry(module).or_default().insert(name.into());
    };
    import("burn::module", "Module");
    import("burn::tensor", "Device");
    import("burn::tensor", "Tensor");
    for layer in &layers.all {
        let module = match layer.kind {
            "Conv2d" | "ConvTranspose2d" => "burn::nn::conv",
            "MaxPool2d" | "AvgPool2d" => "burn::nn::pool",
            "Interpolate2d" => "burn::nn::interpolate",
            _ => "burn::nn",
        };
        import(module, layer.kind);
        import(module, &format!("{}Config", layer.kind));
        if layer
            .made
            .iter()
            .any(|call| call.contains("PaddingConfig2d"))
        {
            import("burn::nn", "PaddingConfig2d");
        }
        if layer.kind == "Interpolate2d" {
            import("burn::nn::interpolate", "InterpolateMode");
        }
    }
    for activation in &forward.activations {
        import("burn::tensor::activation", activation);
    }
    if forward.helpers.contains(&Helper::GlobalAvgPool) {
        import("burn::tensor::module", "adaptive_avg_pool2d");
    }
    if forward.helpers.contains(&Helper::ResizeNearest) {
        import("burn::tensor", "Int");
    }
    if forward.pads {
        import("burn::tensor::ops", "PadMode");
    }
    if forward.slices {
        import("burn::tensor", "s");
    }
    let mut lines = String::new();
    // Writing to a string does not fail.
    for module in MODULES
        .into_iter()
        .filter(|module| names.contains_key(module))
    {
        let names: Vec<&str> = names[module].iter().map(String::as_str).collect();
        let line = match names[..] {
            [only] => format!("use {module}::{only};"),
            _ => format!("use {module}::{{{}}};", names.join(", ")),
        };
        let _ = match line.len() <= WIDTH {
            true => writeln!(lines, "{line}"),
            false => writeln!(lines, "use {module}::{{\n{}}};", fill(&names, 4)),
        };
    }
    lines + "use burn_store::{ModuleSnapshot, SafetensorsStore, SafetensorsStoreError};\n"
}

/// The modules that names come from: deeper paths first, as `rustfmt` sorts braces last.
const MODULES: [&str; 9] = [
    "burn::module",
    "burn::nn::conv",
    "burn::nn::interpolate",
    "burn::nn::pool",
    "burn::nn",
    "burn::tensor::activation",
    "burn::tensor::module",
    "burn::tensor::ops",
    "burn::tensor",
];
