//! A child's weights on the host, by name. Knows nothing of Burn modules.

use std::path::Path;

use burn::tensor::TensorData;

use crate::arrays::{self, Array, Arrays};
use crate::error::{Error, Result};

/// The weights of a child by name, with the running statistics of its batch normalisations.
///
/// Names are the index of the node in the canonical network, its operation and the array:
/// "3.conv2d.weight" (`[filters, channels / groups, height, width]`), "7.dense.weight"
/// (`[features, units]`), "4.batch_norm.running_mean" and so on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(Arrays);

impl Weights {
    /// The weights that `arrays` are. Whether they are a network's,
    /// [`Child::with_weights`](super::Child::with_weights) tells.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an array without as many values as its shape says.
    pub fn from_arrays(arrays: Arrays) -> Result<Self> {
        for (name, Array { shape, values }) in &arrays {
            let count = shape
                .iter()
                .try_fold(1, |n: usize, &side| n.checked_mul(side));
            if count != Some(values.len()) {
                return Err(Error::invalid(
                    format!("weights '{name}'"),
                    format!("as many values as shape {shape:?} says"),
                    values.len(),
                ));
            }
        }
        Ok(Self(arrays))
    }

    /// The arrays by name.
    pub fn arrays(&self) -> &Arrays {
        &self.0
    }

    pub(super) fn into_arrays(self) -> Arrays {
        self.0
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
        arrays::save(path.as_ref(), &self.0, None)
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Snapshot`] where it is not what it should be.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        arrays::load(path.as_ref()).map(|(arrays, _)| Self(arrays))
    }
}
