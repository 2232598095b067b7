//! ONNX Runtime computes what Burn does, from the models that children are exported to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData};
use nas_script::arrays::{Array, Arrays};
use nas_script::child::export::onnx;
use nas_script::child::{Child, Weights};
use nas_script::network::{DenseOptions, Network, Node, Op};
use nas_script::seed::{Seed, StreamRng};
use rand::RngExt;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::harness::{Place, repository};
use crate::networks::{each_operation, random_network};
use crate::python::python;
use crate::runs::digits_run;

/// What `check.py` needs.
const PACKAGES: [&str; 2] = ["onnx==1.23.2", "onnxruntime==1.32.0"];

/// Cases for `check.py`.
struct Cases {
    folder: TempDir,
    list: Vec<Json>,
}

impl Cases {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            list: Vec::new(),
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Adds `network` with `weights`, and the logits of some images as Burn computes them.
    fn add(&mut self, name: &str, network: &Network, weights: &Weights) -> Vec<f32> {
        let model = onnx::model(network, weights).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(model == onnx::model(network, weights).unwrap(), "{name}");
        self.write(&format!("{name}.onnx"), model);

        let seed = Seed(self.list.len() as u64);
        let &[channels, height, width] = network.input_shape() else {
            panic!("{name}: no images");
        };
        let shape = [2 + self.list.len() % 2, channels, height, width];
        let images = images(&mut seed.stream("images"), shape);
        self.write(&format!("{name}.images"), bytes(&images));
        let device = Device::flex();
        let child = Child::with_weights(network, weights, &device).unwrap();
        let images = Tensor::from_data(TensorData::new(images, shape), &device);
        let logits = child.forward(images).into_data();
        let logits_shape = logits.shape().to_vec();
        let logits: Vec<f32> = logits.try_into_vec().unwrap();
        self.write(&format!("{name}.logits"), bytes(&logits));

        let is_there =
            |op: &Op| !matches!(op, Op::Input { .. } | Op::Dropout { .. } | Op::DropPath(_));
        let nodes = network.nodes().iter().enumerate();
        let nodes = nodes.filter(|(_, node)| is_there(&node.op));
        self.list.push(json!({
            "name": name,
            "images": shape,
            "logits": logits_shape,
            "arrays": weights.arrays().keys().collect::<Vec<_>>(),
            "nodes": nodes.map(|(i, node)| format!("{i}.{}", node.op.name())).collect::<Vec<_>>(),
        }));
        logits
    }

    /// Whether ONNX Runtime computes the same logits, and what the script said.
    fn check(&self) -> (bool, String) {
        self.write("cases.json", Json::from(self.list.clone()).to_string());
        let output = Command::new(python("onnx-reader", &PACKAGES))
            .arg(repository("tests/onnx/check.py"))
            .arg(self.folder.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        println!("{said}");
        (output.status.success(), said)
    }

    /// Asserts that every case passes.
    #[track_caller]
    fn pass(&self) {
        let (passed, said) = self.check();
        assert!(passed, "{said}");
        assert!(
            said.contains(&format!("checked {}\n", self.list.len())),
            "{said}"
        );
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn numbers(rng: &mut StreamRng, count: usize, range: std::ops::Range<f32>) -> Vec<f32> {
    (0..count)
        .map(|_| rng.random_range(range.clone()))
        .collect()
}

/// Noise around a colour of each image's own, so that averages over pixels tell images apart.
fn images(rng: &mut StreamRng, [batch, channels, height, width]: [usize; 4]) -> Vec<f32> {
    let mut plane = || {
        let colour = rng.random_range(-1.5_f32..1.5);
        numbers(rng, height * width, colour - 1.0..colour + 1.0)
    };
    (0..batch * channels).flat_map(|_| plane()).collect()
}

/// Weights as a training might leave them: nothing is 0 or 1 any more, and running statistics are those
/// of activations that were met.
fn random_weights(network: &Network, seed: Seed) -> Weights {
    /// The batches that the statistics are of.
    const PASSES: i32 = 6;
    let device = Device::flex();
    let child = Child::build(network, seed, &device).unwrap();
    let mut arrays = child.weights().unwrap().arrays().clone();
    for (name, array) in &mut arrays {
        let part = name.rsplit('.').next().unwrap();
        let range = match (part, array.shape.len()) {
            ("weight", 1) => 0.5..1.5,
            ("bias", _) => -0.3..0.3,
            ("running_mean" | "running_var", _) => {
                array.values.fill(0.0);
                continue;
            }
            // Kernels that keep the size of what they are given, depthwise ones too.
            _ => {
                let inputs = match array.shape[..] {
                    [inputs, _] => inputs,
                    _ => array.shape[1..].iter().product(),
                };
                let limit = (3.0 / inputs as f32).sqrt();
                -limit..limit
            }
        };
        array.values = numbers(&mut seed.stream(name), array.values.len(), range);
    }
    let weights = Weights::from_arrays(arrays).unwrap();
    let mut child = Child::with_weights(network, &weights, &device).unwrap();
    let &[channels, height, width] = network.input_shape() else {
        panic!("no images");
    };
    let shape = [2, channels, height, width];
    let (mut met, mut dropped) = (seed.stream("met"), seed.stream("dropped"));
    for _ in 0..PASSES {
        let images = TensorData::new(images(&mut met, shape), shape);
        child.forward_train(Tensor::from_data(images, &device), 0.5, &mut dropped);
    }
    let mut arrays = child.weights().unwrap().arrays().clone();
    for (name, array) in &mut arrays {
        let mut parts = name.split('.');
        let node = parts.next().and_then(|index| index.parse::<usize>().ok());
        let Op::BatchNorm(norm) = &network.nodes()[node.unwrap()].op else {
            continue;
        };
        // What the statistics began with, 0, has this share in them still.
        let share = (1.0 - norm.momentum).powi(PASSES) as f32;
        match parts.next_back() {
            Some("running_mean") => array.values.iter_mut().for_each(|v| *v /= 1.0 - share),
            // A channel that is dead on these images may not be on others.
            Some("running_var") => {
                let spread = |v: &mut f32| *v = *v / (1.0 - share) + 0.1;
                array.values.iter_mut().for_each(spread);
            }
            _ => {}
        }
    }
    Weights::from_arrays(arrays).unwrap()
}

/// Asserts that ONNX Runtime computes the logits of each of `networks` as Burn does, with random
/// weights.
#[track_caller]
pub fn check_networks(name: &str, networks: &[Network]) {
    let mut cases = Cases::new();
    let mut telling = 0;
    for (index, network) in networks.iter().enumerate() {
        let weights = random_weights(network, Seed(index as u64));
        let logits = cases.add(&format!("{name}-{index}"), network, &weights);
        let (first, second) = logits.split_at(network.shape()[0]);
        let differ = first.iter().zip(second).any(|(a, b)| (a - b).abs() > 1e-3);
        telling += usize::from(differ);
    }
    // Where all images had the same logits, a model would be right that computes nothing.
    let share = telling as f64 / networks.len() as f64;
    assert!(
        share > 0.95,
        "{name}: {telling} of {} networks tell images apart",
        networks.len()
    );
    cases.pass();
}

/// The networks of the JSON files in `folder`, in the order of their names. A file is a network, or a
/// trial such as a run's `best.json`.
pub fn networks_in(folder: &Path) -> Vec<Network> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    let network = |path: &PathBuf| {
        let mut json: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        if let Some(network) = json.pointer_mut("/evaluation/network") {
            json = network.take();
        }
        let network = serde_json::from_value(json);
        network.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    files.iter().map(network).collect()
}

#[test]
fn onnx_runtime_agrees_on_each_operation() {
    let mut cases = Cases::new();
    let mut seen = std::collections::BTreeSet::new();
    for (name, network) in each_operation() {
        let weights = random_weights(&network, Seed(cases.list.len() as u64));
        let logits = cases.add(&name, &network, &weights);
        let (first, second) = logits.split_at(network.shape()[0]);
        assert!(
            first.iter().zip(second).any(|(a, b)| (a - b).abs() > 1e-3),
            "{name}"
        );
        seen.extend(network.nodes().iter().map(|node| node.op.name()));
    }
    let all = [
        "add",
        "avg_pool2d",
        "batch_norm",
        "channel_shuffle",
        "concat",
        "conv2d",
        "conv_transpose2d",
        "crop2d",
        "dense",
        "drop_path",
        "dropout",
        "flatten",
        "gelu",
        "global_avg_pool",
        "group_norm",
        "hard_sigmoid",
        "hard_swish",
        "input",
        "layer_norm",
        "max_pool2d",
        "multiply",
        "relu",
        "relu6",
        "resize",
        "sigmoid",
        "silu",
        "tanh",
        "zero_pad2d",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    cases.pass();
}

#[test]
fn onnx_runtime_agrees_on_random_networks() {
    let network = |number| random_network(&mut Seed(number).stream("network"));
    check_networks("random", &(0..200).map(network).collect::<Vec<_>>());
}

#[test]
fn onnx_runtime_agrees_on_networks_of_every_space() {
    let place = Place::new();
    let script = fs::read_to_string(repository("tests/onnx/spaces.rhai")).unwrap();
    place.write("spaces.rhai", script);
    place
        .run(&["spaces.rhai", "-q", "--out", "run"])
        .succeeded();
    for name in ["original", "anchors", "nasnet", "mobile", "darts"] {
        let networks = networks_in(&place.path(&format!("run/exports/{name}")));
        assert_eq!(networks.len(), 200, "{name}");
        check_networks(name, &networks);
    }
}

#[test]
fn onnx_runtime_agrees_on_a_trained_child() {
    let folder = digits_run().place.path("run");
    let networks = networks_in(&folder);
    assert_eq!(networks.len(), 1, "best.json alone");
    let weights = Weights::load(folder.join("best.safetensors")).unwrap();
    let mut cases = Cases::new();
    cases.add("best", &networks[0], &weights);
    cases.pass();
}

#[test]
fn a_model_that_computes_something_else_is_caught() {
    let network = small();
    let weights = random_weights(&network, Seed(1));
    let mut cases = Cases::new();
    let mut logits = cases.add("small", &network, &weights);
    cases.pass();
    logits[0] += 3e-4;
    cases.write("small.logits", bytes(&logits));
    let (passed, said) = cases.check();
    assert!(
        !passed && said.contains("small: batch: logits up to"),
        "{said}"
    );
}

/// A network of a few weights.
fn small() -> Network {
    let x = Node::input(&[2, 3, 3]).unwrap().flatten().unwrap();
    Network::from_output(&x.dense(4, &DenseOptions::default()).unwrap()).unwrap()
}

/// What is said of a model that cannot be made.
fn refusal(network: &Network, arrays: Arrays) -> String {
    let weights = Weights::from_arrays(arrays).unwrap();
    onnx::model(network, &weights).unwrap_err().to_string()
}

#[test]
fn what_is_no_classifier_of_images_is_refused() {
    let image = Node::input(&[2, 3, 3]).unwrap();
    let network = Network::from_output(&image).unwrap();
    assert_eq!(
        refusal(&network, Arrays::new()),
        "network: expected an image as input and a flat output, found [2, 3, 3] and [2, 3, 3]"
    );
    let flat = Node::input(&[4]).unwrap();
    let flat = flat.dense(2, &DenseOptions::default()).unwrap();
    let network = Network::from_output(&flat).unwrap();
    assert_eq!(
        refusal(&network, Arrays::new()),
        "network: expected an image as input and a flat output, found [4] and [2]"
    );
}

#[test]
fn weights_of_another_network_are_refused() {
    let network = small();
    let fitting = random_weights(&network, Seed(1)).arrays().clone();
    let mut arrays = fitting.clone();
    arrays.remove("2.dense.bias");
    assert_eq!(
        refusal(&network, arrays),
        "weights '2.dense.bias': expected an array of shape [4], found none"
    );
    let mut arrays = fitting.clone();
    arrays.get_mut("2.dense.weight").unwrap().shape = vec![4, 18];
    assert_eq!(
        refusal(&network, arrays),
        "weights '2.dense.weight': expected an array of shape [18, 4], found shape [4, 18]"
    );
    let mut arrays = fitting.clone();
    arrays.insert("3.dense.bias".into(), Array::default());
    assert!(
        Weights::from_arrays(arrays.clone()).is_err(),
        "no dimensions mean one value"
    );
    arrays.insert("3.dense.bias".into(), fitting["2.dense.bias"].clone());
    assert_eq!(
        refusal(&network, arrays),
        "weights: expected 2 arrays, found 3"
    );
}

#[test]
fn models_beyond_what_protobuf_holds_are_refused() {
    let x = Node::input(&[1, 1 << 7, 1 << 8])
        .unwrap()
        .flatten()
        .unwrap();
    let wide = x.dense(1 << 14, &DenseOptions { bias: false }).unwrap();
    let network = Network::from_output(&wide).unwrap();
    assert_eq!(
        refusal(&network, Arrays::new()),
        "ONNX model: expected at most 2147483647 bytes, the most that protobuf can hold, \
         found 2147483648 bytes"
    );
}
