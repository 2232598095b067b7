//! Data sets for scripts.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::limits::within;
use super::options::Options;
use super::{Host, Scripted, places, raise};
use crate::data::{self, DataOptions, Dataset, FolderOptions, Split, SyntheticOptions};
use crate::error::Result;

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Dataset>("Dataset");
    engine.register_global_module(exported_module!(datasets).into());
}

#[derive(serde::Deserialize)]
struct Size {
    #[serde(default)]
    size: Option<[usize; 2]>,
}

/// How deep pictures lie in their folder: in that of a split and that of a class.
const DEPTH: usize = 2;

/// The data set that `open` opens, if it is not too large.
fn opened(host: &Host, open: impl FnOnce() -> Result<Dataset>) -> Scripted<Dataset> {
    let opening = host.meter().opens();
    let data = open().map_err(raise)?;
    let images = [data.train(), data.validation(), data.test()].map(Split::len);
    let bytes = images.iter().sum::<usize>() * data.shape().iter().product::<usize>();
    opening.opened(bytes as u64).map_err(raise)?;
    Ok(data)
}

/// # Dataset
///
/// Images with labels, split into training, validation and test images.
///
/// ```rhai
/// let data = dataset("digits", #{ train: 300 });
/// print(data);
/// print(data.name);                              // digits
/// print(data.shape);                             // [1, 8, 8]
/// print(data.classes);                           // 10
/// print(data.class_names);                       // ["0", "1", …]
/// print(data.summary);
/// ```
#[export_module]
mod datasets {
    /// A known data set: `digits` (built in), `cifar10`, `cifar100`, `mnist`, `fashion_mnist`.
    ///
    /// ```rhai
    /// let data = dataset("digits");
    /// ```
    #[rhai_fn(name = "dataset", return_raw, volatile)]
    pub fn dataset(ctx: NativeCallContext, name: &str) -> Scripted<Dataset> {
        dataset_with(ctx, name, Map::new())
    }

    /// Options:
    /// - `train` (all that are not held out): the number of training images.
    /// - `validation` (a tenth of the training images, of "digits" 15 %): the number of validation images.
    /// - `test` (the published test images, else a fifth of all): the number of test images.
    /// - `split_seed` (0): draws another split; it is apart from the seed of the study, so that two studies compare.
    ///
    /// ```rhai
    /// let data = dataset("digits", #{ train: 1000, validation: 200 });
    /// ```
    #[rhai_fn(name = "dataset", return_raw, volatile)]
    pub fn dataset_with(ctx: NativeCallContext, name: &str, options: Map) -> Scripted<Dataset> {
        let host = Host::of(&ctx)?;
        let options = Options::new("dataset", &options)?.all()?;
        opened(&host, || data::load(name, &options, host.paths()))
    }

    /// A folder of images, one sub-folder a class, beside the script or in a data folder.
    ///
    /// ```rhai
    /// let data = folder("pets");      // pets/cat/…, pets/dog/…
    /// print(data.class_names);        // ["cat", "dog"]
    /// ```
    #[rhai_fn(name = "folder", return_raw, volatile)]
    pub fn folder(ctx: NativeCallContext, path: &str) -> Scripted<Dataset> {
        folder_with(ctx, path, Map::new())
    }

    /// Options are those of `dataset` and
    /// - `size` (that of the images, which must all have one): `[height, width]` that every image is resized to.
    ///
    /// ```rhai
    /// let data = folder("pets", #{ size: [16, 16], split_seed: 1 });
    /// print(data.shape);              // [3, 16, 16]
    /// ```
    #[rhai_fn(name = "folder", return_raw, volatile)]
    pub fn folder_with(ctx: NativeCallContext, path: &str, options: Map) -> Scripted<Dataset> {
        let host = Host::of(&ctx)?;
        let options = Options::new("folder", &options)?;
        let Size { size } = options.part(&["size"])?;
        let data = options.part(DataOptions::OPTIONS)?;
        let options = FolderOptions { size, data };
        // No path leads out of the script's folder, nor out of a data folder.
        let beside = host.inside(path).map_err(raise)?;
        if beside.is_dir() {
            places::contained(host.folder(), "file", &beside, DEPTH).map_err(raise)?;
        }
        opened(&host, || {
            data::load_folder(path.as_ref(), host.folder(), &options, host.paths())
        })
    }

    /// Made-up images that a network can learn to tell apart: a pattern for each class, and noise.
    ///
    /// Options are those of `dataset` and
    /// - `classes` (4): 2 to 1000.
    /// - `shape` ([1, 8, 8]): `[channels, height, width]` of an image.
    /// - `samples` (1000): the number of images, at least one of each class.
    /// - `noise` (0.3): standard deviation of the noise, where the patterns span 0 to 1.
    /// - `seed` (0): of patterns and noise.
    ///
    /// ```rhai
    /// let data = synthetic(#{ classes: 3, samples: 300 });
    /// ```
    #[rhai_fn(name = "synthetic", return_raw, volatile)]
    pub fn synthetic(ctx: NativeCallContext, options: Map) -> Scripted<Dataset> {
        let host = Host::of(&ctx)?;
        let options = Options::new("synthetic", &options)?;
        let made: SyntheticOptions = options.part(SyntheticOptions::OPTIONS)?;
        let split = options.part(DataOptions::OPTIONS)?;
        let sides = made.shape.iter().map(|side| *side as u64);
        let bytes = sides.fold(made.samples as u64, u64::saturating_mul);
        let most = host.limits().data_size;
        within("bytes of pixels", "data_size", most, bytes).map_err(raise)?;
        opened(&host, || data::synthetic(&made, &split))
    }

    /// The name of the data set.
    #[rhai_fn(get = "name", pure)]
    pub fn name(data: &mut Dataset) -> String {
        data.name().into()
    }

    /// The shape of an image: `[channels, height, width]`.
    #[rhai_fn(get = "shape", pure)]
    pub fn shape(data: &mut Dataset) -> Array {
        data.shape().map(|n| Dynamic::from_int(n as i64)).into()
    }

    /// The number of classes.
    #[rhai_fn(get = "classes", pure)]
    pub fn classes(data: &mut Dataset) -> i64 {
        data.classes().len() as i64
    }

    /// The names of the classes, in the order of their labels.
    #[rhai_fn(get = "class_names", pure)]
    pub fn class_names(data: &mut Dataset) -> Array {
        data.classes().iter().map(Into::into).collect()
    }

    /// A few lines about the data set.
    #[rhai_fn(
        get = "summary",
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn summary(data: &mut Dataset) -> String {
        data.summary().trim_end().into()
    }
}
