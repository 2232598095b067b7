//! Kernels by name, for traces: "conv2d 3x3/2 64→64 on 16x16". Knows nothing of what they compute.

use std::fmt;

use super::{Act, Geometry, Kernel};

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, act) = match self {
            Self::Conv2d(g, act) => {
                window(f, "conv2d", g)?;
                write!(f, " {}→{}", g.channels, g.filters)?;
                if g.groups > 1 {
                    write!(f, " in {} groups", g.groups)?;
                }
                let [height, width] = g.input;
                (format!(" on {height}x{width}"), *act)
            }
            Self::MaxPool2d(g) => return window(f, "max_pool2d", g),
            Self::AvgPool2d(g) => return window(f, "avg_pool2d", g),
            Self::GlobalAvgPool(_) => ("global_avg_pool".into(), Act::Identity),
            Self::Dense => ("dense".into(), Act::Identity),
            Self::BatchNorm(_, act) => ("batch_norm".into(), *act),
            Self::Affine(act) => ("affine".into(), *act),
            Self::Function(function) => (format!("{function:?}").to_lowercase(), Act::Identity),
            Self::Add(act) => ("add".into(), *act),
            Self::Concat(_) => ("concat".into(), Act::Identity),
            Self::ScaleImages(_) => ("scale_images".into(), Act::Identity),
            Self::Gate => ("multiply".into(), Act::Identity),
            Self::CrossEntropy(..) => ("cross_entropy".into(), Act::Identity),
        };
        f.write_str(&name)?;
        f.write_str(match act {
            Act::Identity => "",
            Act::Relu => ", relu",
            Act::Relu6 => ", relu6",
        })
    }
}

/// The name of an operation on windows, with their size and stride.
fn window(f: &mut fmt::Formatter<'_>, name: &str, g: &Geometry) -> fmt::Result {
    write!(f, "{name} {}x{}/{}", g.kernel[0], g.kernel[1], g.stride[0])
}
