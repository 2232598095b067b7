//! Every operation's value and gradients against PyTorch's, by the path that a training takes: the
//! network's JSON, named weights, the forward pass, one backward pass.
//!
//! `tests/torch/generate.py` wrote the expected arrays, and says what they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::Gradients;

use super::*;
use crate::arrays::{self, Array, Arrays};
use crate::child::{Child, Weights};
use crate::network::Op;

/// The most that an element may differ by, as a share of the largest element of its array (or of 1,
/// where all are smaller): ten times what float32 loses in sums of some hundred products.
const TOLERANCE: f32 = 3e-6;

/// The operations by subject; each is a file of `tests/torch/expected` and a test.
macro_rules! subjects {
    ($($subject:ident)*) => {
        const SUBJECTS: &[&str] = &[$(stringify!($subject)),*];
        $(#[test]
        fn $subject() {
            check(stringify!($subject));
        })*
    };
}

subjects! {
    activation add avg_pool2d batch_norm channel_shuffle concat conv2d conv_transpose2d crop2d dense
    depthwise_conv2d drop_path dropout flatten global_avg_pool group_norm layer_norm max_pool2d
    multiply resize separable_conv2d squeeze_excite zero_pad2d
}

/// How a network was run.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    network: serde_json::Value,
    mode: Mode,
    seed: u64,
    progress: f64,
}

#[derive(PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Train,
    Inference,
}

impl Case {
    /// The network. Its canonical form may order the branches of a sum otherwise, but all nodes are
    /// there: nothing of what PyTorch computed is passed over.
    fn network(&self) -> Network {
        let network: Network = serde_json::from_value(self.network.clone()).unwrap();
        let written = self.network["nodes"].as_array().unwrap();
        assert_eq!(network.nodes().len(), written.len(), "{}", self.name);
        network
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch/expected")
}

fn read(subject: &str) -> (Vec<Case>, Arrays) {
    let (arrays, metadata) =
        arrays::load(&folder().join(format!("{subject}.safetensors"))).unwrap();
    (serde_json::from_str(&metadata["cases"]).unwrap(), arrays)
}

fn check(subject: &str) {
    let (cases, arrays) = read(subject);
    assert!(!cases.is_empty());
    for case in cases {
        let prefix = format!("{}/", case.name);
        let of_case = arrays.iter().filter_map(|(name, array)| {
            let name = name.strip_prefix(&prefix)?;
            Some((name.to_string(), array.clone()))
        });
        compare(subject, &case, &of_case.collect());
    }
}

fn compare(subject: &str, case: &Case, expected: &Arrays) {
    let network = case.network();
    let device = device().autodiff();
    let mut weights = Weights::default();
    for (name, array) in expected {
        let derived = [".grad", ".after"].iter().any(|end| name.ends_with(end));
        if name.contains('.') && !derived {
            weights.insert(name.clone(), data(array)).unwrap();
        }
    }
    let mut child = Child::with_weights(&network, &weights, &device).unwrap();
    let images = Tensor::<4>::from_data(data(&expected["input"]), &device).require_grad();
    let output = match case.mode {
        Mode::Inference => child.forward(images.clone()),
        Mode::Train => {
            let mut stream = Seed(case.seed).stream("dropout");
            child.forward_train(images.clone(), case.progress, &mut stream)
        }
    };
    let upstream = Tensor::<2>::from_data(data(&expected["upstream"]), &device);
    let gradients = output.clone().mul(upstream).sum().backward();

    let mut found = parameter_gradients(&network, &child, &gradients);
    found.insert("output".into(), array(output));
    found.insert("input.grad".into(), array(images.grad(&gradients).unwrap()));
    for (name, array) in child.weights().unwrap().arrays() {
        if name.contains(".running_") && case.mode == Mode::Train {
            found.insert(format!("{name}.after"), array.clone());
        }
    }
    let inputs = |name: &&String| !["input", "upstream"].contains(&name.as_str());
    let asked = expected
        .keys()
        .filter(|name| !weights.arrays().contains_key(*name));
    assert!(
        asked.filter(inputs).eq(found.keys()),
        "{subject}/{}",
        case.name
    );
    for (name, found) in &found {
        let (expected, what) = (&expected[name], format!("{subject}/{}: {name}", case.name));
        assert_eq!(found.shape, expected.shape, "{what}");
        let largest = expected.values.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        for (index, (f, e)) in found.values.iter().zip(&expected.values).enumerate() {
            // Written so that a NaN fails.
            let close = (f - e).abs() <= TOLERANCE * largest;
            assert!(close, "{what}[{index}]: expected {e}, found {f}");
        }
    }
}

/// The gradient of each parameter as "3.conv2d.weight.grad".
fn parameter_gradients(network: &Network, child: &Child, gradients: &Gradients) -> Arrays {
    fn of<const D: usize>(parameter: &Param<Tensor<D>>, gradients: &Gradients) -> Array {
        array(parameter.val().grad(gradients).unwrap())
    }
    let parameters = &child.parameters;
    let mut convs = parameters.convs.iter();
    let mut denses = parameters.denses.iter();
    let mut norms = parameters.norms.iter();
    let mut scales = parameters.scales.iter();
    let mut found = Arrays::new();
    for (index, node) in network.nodes().iter().enumerate() {
        let (weight, bias) = match node.op {
            Op::Conv2d(_) | Op::ConvTranspose2d(_) => {
                let conv = convs.next().unwrap();
                (of(&conv.weight, gradients), conv.bias.as_ref())
            }
            Op::Dense(_) => {
                let dense = denses.next().unwrap();
                (of(&dense.weight, gradients), dense.bias.as_ref())
            }
            Op::BatchNorm(_) => {
                let norm = norms.next().unwrap();
                (of(&norm.weight, gradients), Some(&norm.bias))
            }
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => {
                let norm = scales.next().unwrap();
                (of(&norm.weight, gradients), Some(&norm.bias))
            }
            _ => continue,
        };
        let name = format!("{index}.{}", node.op.name());
        found.insert(format!("{name}.weight.grad"), weight);
        if let Some(bias) = bias {
            found.insert(format!("{name}.bias.grad"), of(bias, gradients));
        }
    }
    found
}

fn data(array: &Array) -> TensorData {
    TensorData::new(array.values.clone(), array.shape.clone())
}

fn array<const D: usize>(tensor: Tensor<D>) -> Array {
    Array {
        shape: tensor.dims().to_vec(),
        values: host(tensor),
    }
}

#[test]
fn every_operation_has_its_cases() {
    let files = std::fs::read_dir(folder()).unwrap();
    let files = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
    let subjects: BTreeSet<_> = SUBJECTS.iter().map(|s| (*s).into()).collect();
    assert_eq!(files.collect::<BTreeSet<std::ffi::OsString>>(), subjects);

    let mut seen = BTreeSet::new();
    for subject in SUBJECTS {
        for case in read(subject).0 {
            for node in case.network().nodes() {
                seen.insert(node.op.name());
            }
        }
    }
    // serde lists the variants of an enum in the error for one that there is not.
    let error = serde_json::from_str::<Op>(r#""none""#).unwrap_err();
    let listed = error.to_string();
    let variants = listed.split('`').skip(3).step_by(2);
    let expected: BTreeSet<&str> = variants
        .filter(|&name| name != "activation")
        .chain(Activation::ALL.map(Activation::name))
        .collect();
    assert!(expected.len() > 25, "{listed}");
    assert_eq!(seen, expected);
}
