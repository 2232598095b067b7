//! The attributes of operations from a script's arguments and options.

use rhai::{Dynamic, Map};

use super::options::Options;
use super::{Scripted, raise};
use crate::error::Error;
use crate::network::{Conv2dOptions, Padding, PoolOptions, Sides};

/// A size or a step: a whole number from 1, or one for the height and one for the width.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(untagged, expecting = "a whole number from 1, or [height, width]")]
enum Pair {
    Square(usize),
    Sides([usize; 2]),
}

impl Pair {
    fn sides(self) -> [usize; 2] {
        match self {
            Self::Square(side) => [side, side],
            Self::Sides(sides) => sides,
        }
    }
}

/// What is added to variances, where no option says otherwise.
pub(super) const EPSILON: f64 = 1e-5;

/// The argument `what`: an integer or `[height, width]`.
pub(super) fn pair(what: &str, sizes: &Dynamic) -> Scripted<[usize; 2]> {
    let pair: Option<Pair> = rhai::serde::from_dynamic(sizes).ok();
    let expected = "a whole number from 1, or [height, width]";
    let invalid = || raise(Error::invalid(what, expected, sizes));
    pair.map(Pair::sides).ok_or_else(invalid)
}

/// The kernel argument of `of`.
pub(super) fn kernel(of: &str, kernel: &Dynamic) -> Scripted<[usize; 2]> {
    pair(&format!("{of}: kernel"), kernel)
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Conv2dArguments {
    stride: Option<Pair>,
    padding: Option<Padding>,
    dilation: Option<Pair>,
    groups: Option<usize>,
    multiplier: Option<usize>,
    bias: Option<bool>,
}

pub(super) const CONV2D: &[&str] = &["stride", "padding", "dilation", "groups", "bias"];
pub(super) const DEPTHWISE: &[&str] = &["stride", "padding", "dilation", "multiplier", "bias"];

/// The options of the convolution `of`, and its multiplier.
pub(super) fn conv2d_options(of: &str, map: &Map) -> Scripted<(Conv2dOptions, usize)> {
    let given: Conv2dArguments = Options::new(of, map)?.all()?;
    let default = Conv2dOptions::default();
    let options = Conv2dOptions {
        stride: given.stride.map_or(default.stride, Pair::sides),
        padding: given.padding.unwrap_or(default.padding),
        dilation: given.dilation.map_or(default.dilation, Pair::sides),
        groups: given.groups.unwrap_or(default.groups),
        bias: given.bias.unwrap_or(default.bias),
    };
    Ok((options, given.multiplier.unwrap_or(1)))
}

/// A border: a number of pixels on every side, `[rows, columns]` on both sides of each, or
/// `[[top, bottom], [left, right]]`, as in Keras.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(untagged)]
enum Border {
    All(usize),
    Axes([usize; 2]),
    Sides([[usize; 2]; 2]),
}

pub(super) fn border(what: &str, border: &Dynamic) -> Scripted<Sides> {
    let given: Option<Border> = rhai::serde::from_dynamic(border).ok();
    let [[top, bottom], [left, right]] = match given {
        Some(Border::All(n)) => [[n, n], [n, n]],
        Some(Border::Axes([rows, columns])) => [[rows, rows], [columns, columns]],
        Some(Border::Sides(sides)) => sides,
        None => {
            let expected =
                "a whole number from 0, [rows, columns] or [[top, bottom], [left, right]]";
            return Err(raise(Error::invalid(what, expected, border)));
        }
    };
    Ok(Sides {
        top,
        bottom,
        left,
        right,
    })
}

/// The one option of an operation, called `name`.
pub(super) fn option<T: serde::de::DeserializeOwned>(
    of: &str,
    map: &Map,
    name: &str,
) -> Scripted<Option<T>> {
    let mut given: std::collections::BTreeMap<String, T> = Options::new(of, map)?.all()?;
    Ok(given.remove(name))
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct PoolArguments {
    stride: Option<Pair>,
    padding: Option<Padding>,
}

pub(super) const POOL: &[&str] = &["stride", "padding"];

pub(super) fn pool_options(of: &str, map: &Map) -> Scripted<PoolOptions> {
    let given: PoolArguments = Options::new(of, map)?.all()?;
    Ok(PoolOptions {
        stride: given.stride.map(Pair::sides),
        padding: given.padding.unwrap_or(PoolOptions::default().padding),
    })
}
