//! PyTorch still computes what `tests/torch/expected` holds, which the children are tested against.
//!
//! Skipped unless `NAS_SCRIPT_TORCH` is set: PyTorch is some gigabytes. `NAS_SCRIPT_PYTHON` may name
//! a Python that has `torch`, `numpy` and `safetensors`; otherwise they are installed from PyPI, once,
//! into the target folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::SafeTensors;

use crate::harness::repository;
use crate::python::{python, run};

/// The most that an element may differ by, as a share of the largest of its array (or of 1): the
/// last bits of float32.
const TOLERANCE: f32 = 1e-6;

/// An array's shape and values.
type Array = (Vec<usize>, Vec<f32>);

/// The arrays of a file by name, and its cases.
fn read(path: &Path) -> (BTreeMap<String, Array>, serde_json::Value) {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let cases = &header.metadata().as_ref().unwrap()["cases"];
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let arrays = tensors.iter().map(|(name, view)| {
        let values = view.data().as_chunks().0.iter();
        let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (name.to_string(), (view.shape().to_vec(), values))
    });
    (arrays.collect(), serde_json::from_str(cases).unwrap())
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into()).collect();
    names.sort();
    names
}

#[test]
fn the_expected_arrays_are_what_pytorch_computes() {
    if std::env::var_os("NAS_SCRIPT_TORCH").is_none() {
        eprintln!("skipped: NAS_SCRIPT_TORCH is not set");
        return;
    }
    let fresh = tempfile::tempdir().unwrap();
    run(
        Command::new(python("torch", &["torch", "numpy", "safetensors"]))
            .arg(repository("tests/torch/generate.py"))
            .arg(fresh.path()),
    );
    let kept = repository("tests/torch/expected");
    assert_eq!(names(fresh.path()), names(&kept));
    for name in names(&kept) {
        let (found, found_cases) = read(&fresh.path().join(&name));
        let (expected, cases) = read(&kept.join(&name));
        assert_eq!(found_cases, cases, "{}", name.display());
        assert!(found.keys().eq(expected.keys()), "{}", name.display());
        for (array, (shape, values)) in &expected {
            let what = format!("{}: {array}", name.display());
            assert_eq!(&found[array].0, shape, "{what}");
            let largest = values.iter().fold(1.0_f32, |most, v| most.max(v.abs()));
            for (f, e) in found[array].1.iter().zip(values) {
                let close = (f - e).abs() <= TOLERANCE * largest;
                assert!(close, "{what}: kept {e}, PyTorch computes {f}");
            }
        }
    }
}
