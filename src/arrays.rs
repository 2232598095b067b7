//! Named arrays of f32 numbers and their safetensors file: what weights are outside a device. Knows
//! nothing of what the arrays mean.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Error, Result};

/// One array, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub values: Vec<f32>,
}

/// Arrays by name.
pub type Arrays = BTreeMap<String, Array>;

/// Writes `arrays` and a text of `metadata` as a safetensors file; whoever reads `path` meanwhile
/// sees the old file or the new one, never a part.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn save(path: &Path, arrays: &Arrays, metadata: Option<(&str, String)>) -> Result<()> {
    let io = |error: safetensors::SafeTensorError| {
        Error::io("write", path)(std::io::Error::other(error.to_string()))
    };
    let bytes = |array: &Array| array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = arrays.values().map(bytes).collect();
    let views = arrays.iter().zip(&bytes).map(|((name, array), bytes)| {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytes)?;
        Ok((name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(io)?;
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text)]));
    let file = safetensors::serialize(views, metadata).map_err(io)?;
    replace(path, &file)
}

/// Writes a file of any kind; whoever reads `path` meanwhile sees the old file or the new one, never a
/// part. A link at `path` is replaced, not followed.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let scratch = scratch_path(path);
    let written = fs::write(&scratch, content).and_then(|()| fs::rename(&scratch, path));
    if written.is_err() {
        // Best effort: the error that matters is the first.
        let _ = fs::remove_file(&scratch);
    }
    written.map_err(Error::io("write", path))
}

/// Reads a safetensors file of f32 arrays, and its metadata.
///
/// # Errors
/// [`Error::Io`] where it cannot be read, [`Error::Snapshot`] where it is no such file.
pub fn load(path: &Path) -> Result<(Arrays, HashMap<String, String>)> {
    let refuse = |reason: String| Error::Snapshot {
        path: path.to_path_buf(),
        reason,
    };
    let unreadable = |e: safetensors::SafeTensorError| refuse(format!("no safetensors file: {e}"));
    let file = fs::read(path).map_err(Error::io("read", path))?;
    let tensors = SafeTensors::deserialize(&file).map_err(unreadable)?;
    let mut arrays = Arrays::new();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            let found = view.dtype();
            return Err(refuse(format!("'{name}': expected F32, found {found:?}")));
        }
        let values = view.data().as_chunks().0.iter();
        let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let shape = view.shape().to_vec();
        arrays.insert(name.to_string(), Array { shape, values });
    }
    let (_, header) = SafeTensors::read_metadata(&file).map_err(unreadable)?;
    Ok((arrays, header.metadata().clone().unwrap_or_default()))
}

/// A path beside `path` that no other process or thread writes to.
fn scratch_path(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{count}.tmp", std::process::id()));
    path.with_file_name(name)
}
