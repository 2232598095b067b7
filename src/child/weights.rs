//! A child's weights on the host, and their safetensors file. Knows nothing of Burn modules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Error, Result};

/// One array of f32 numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub values: Vec<f32>,
}

/// The weights of a child by name, with the running statistics of its batch normalisations.
///
/// Names are the index of the node in the canonical network, its operation and the array:
/// "3.conv2d.weight" (`[filters, channels / groups, height, width]`), "7.dense.weight"
/// (`[features, units]`), "4.batch_norm.running_mean" and so on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Array>);

impl Weights {
    /// The arrays by name.
    pub fn arrays(&self) -> &BTreeMap<String, Array> {
        &self.0
    }

    /// The number of arrays.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no array.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, name: String, data: TensorData) -> Result<()> {
        let shape = data.shape().to_vec();
        let values = data.try_into_vec::<f32>().map_err(|error| {
            Error::invalid(
                format!("weights '{name}'"),
                "f32 values",
                format!("{error:?}"),
            )
        })?;
        self.0.insert(name, Array { shape, values });
        Ok(())
    }

    /// A copy of the array called `name`, which must have the given shape.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let what = || format!("weights '{name}'");
        let expected = || format!("an array of shape {shape:?}");
        match self.0.get(name) {
            Some(array) if array.shape == shape => Ok(array.values.clone()),
            Some(array) => Err(Error::invalid(
                what(),
                expected(),
                format!("shape {:?}", array.shape),
            )),
            None => Err(Error::invalid(what(), expected(), "none")),
        }
    }

    /// Writes a safetensors file; whoever reads `path` meanwhile sees the old file or the new one,
    /// never a part.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let snapshot = |error: safetensors::SafeTensorError| Error::Snapshot {
            path: path.to_path_buf(),
            reason: error.to_string(),
        };
        let bytes: Vec<Vec<u8>> = self
            .0
            .values()
            .map(|array| {
                array
                    .values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect()
            })
            .collect();
        let views = self
            .0
            .iter()
            .zip(&bytes)
            .map(|((name, array), bytes)| {
                Ok((
                    name,
                    TensorView::new(Dtype::F32, array.shape.clone(), bytes)?,
                ))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(snapshot)?;
        let file = safetensors::serialize(views, None).map_err(snapshot)?;
        let scratch = scratch_path(path);
        let written = fs::write(&scratch, file)
            .and_then(|()| fs::File::open(&scratch)?.sync_all())
            .and_then(|()| fs::rename(&scratch, path));
        if written.is_err() {
            // Best effort: the error that matters is the first.
            let _ = fs::remove_file(&scratch);
        }
        written.map_err(Error::io("write", path))
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Snapshot`] where it is not what it should be.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let refuse = |reason: String| Error::Snapshot {
            path: path.to_path_buf(),
            reason,
        };
        let file = fs::read(path).map_err(Error::io("read", path))?;
        let tensors = SafeTensors::deserialize(&file).map_err(|error| refuse(error.to_string()))?;
        let mut weights = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(refuse(format!(
                    "'{name}': expected F32, found {:?}",
                    view.dtype()
                )));
            }
            let values = view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes));
            let array = Array {
                shape: view.shape().to_vec(),
                values: values.collect(),
            };
            weights.insert(name, array);
        }
        Ok(Self(weights))
    }
}

/// A path beside `path` that no other process writes to.
fn scratch_path(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{count}.tmp", std::process::id()));
    path.with_file_name(name)
}
