//! Which device computes, from a string such as `cuda:0`. The only place that asks Burn for
//! hardware; knows nothing of what is computed.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::error::{Error, Result};

/// A device as the user names it: `auto`, `cpu`, `cuda[:N]` or `wgpu[:N]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selector {
    /// The first working GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The N-th NVIDIA GPU.
    Cuda(usize),
    /// The N-th adapter of Vulkan, Metal or DX12.
    Wgpu(usize),
}

impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::invalid("device", "auto, cpu, cuda[:N] or wgpu[:N]", text);
        let (kind, index) = match text.split_once(':') {
            Some((kind, index)) => (kind, Some(index.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        match (kind, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None | Some(0)) => Ok(Self::Cpu),
            ("cuda", index) => Ok(Self::Cuda(index.unwrap_or(0))),
            ("wgpu", index) => Ok(Self::Wgpu(index.unwrap_or(0))),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Wgpu(index) => write!(f, "wgpu:{index}"),
        }
    }
}

/// A device that this machine has.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The exact selector: `cpu`, `cuda:0`, `wgpu:1`.
    pub selector: Selector,
    /// The hardware's own name, where it tells.
    pub description: String,
    /// Whether it is a GPU, and not a software driver on the CPU.
    pub gpu: bool,
    /// Burn's handle, without gradients.
    pub device: Device,
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.selector, self.description)
    }
}

/// Lists the devices that this build can use on this machine: GPUs first, the CPU last.
pub fn available() -> Vec<Compute> {
    let mut found = gpus::cuda();
    found.extend(gpus::wgpu());
    found.push(cpu());
    found
}

/// Opens the device that `selector` names.
///
/// # Errors
/// [`Error::Device`] with the devices that are there, where the one asked for is not.
pub fn open(selector: Selector) -> Result<Compute> {
    let candidates = match selector {
        Selector::Cpu => return Ok(cpu()),
        // No fallback is needed: the list ends with the CPU.
        Selector::Auto => {
            let working = |c: &Compute| c.selector == Selector::Cpu || c.gpu && works(&c.device);
            return Ok(available().into_iter().find(working).unwrap_or_else(cpu));
        }
        Selector::Cuda(_) => gpus::cuda(),
        Selector::Wgpu(_) => gpus::wgpu(),
    };
    let unavailable = |reason: String| Error::Device {
        asked: selector.to_string(),
        reason,
        available: available().iter().map(|c| c.selector.to_string()).collect(),
    };
    let found = candidates.into_iter().find(|c| c.selector == selector);
    let compute = found.ok_or_else(|| unavailable(gpus::missing(selector)))?;
    if works(&compute.device) {
        Ok(compute)
    } else {
        Err(unavailable("it fails at a first small computation".into()))
    }
}

/// Whether `device` computes on the CPU, in the memory of the host.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

fn cpu() -> Compute {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Compute {
        selector: Selector::Cpu,
        description: format!("{threads} threads"),
        gpu: false,
        device: Device::flex(),
    }
}

/// Whether a first small computation succeeds: a driver may be listed and still be broken.
fn works(device: &Device) -> bool {
    quietly(|| {
        let ones = burn::tensor::Tensor::<1>::ones([4], device);
        let sum = ones.sum().into_data().try_to_vec::<f32>();
        sum.is_ok_and(|s| s == [4.0])
    })
    .unwrap_or(false)
}

/// Runs what may panic inside a driver's loader; `None` if it did.
fn quietly<T>(f: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).ok()
}

mod gpus {
    //! The GPUs of each backend that this build holds.

    use super::{Compute, Selector};

    #[cfg(feature = "cuda")]
    pub(super) fn cuda() -> Vec<Compute> {
        listed(burn::tensor::DeviceType::Cuda, Selector::Cuda)
    }

    #[cfg(not(feature = "cuda"))]
    pub(super) fn cuda() -> Vec<Compute> {
        Vec::new()
    }

    #[cfg(feature = "wgpu")]
    pub(super) fn wgpu() -> Vec<Compute> {
        listed(burn::tensor::DeviceType::Wgpu, Selector::Wgpu)
    }

    #[cfg(not(feature = "wgpu"))]
    pub(super) fn wgpu() -> Vec<Compute> {
        Vec::new()
    }

    /// Why no device answers to `selector`.
    pub(super) fn missing(selector: Selector) -> String {
        let (feature, built, driver) = match selector {
            Selector::Cuda(_) => ("cuda", cfg!(feature = "cuda"), "NVIDIA driver and GPU"),
            _ => (
                "wgpu",
                cfg!(feature = "wgpu"),
                "Vulkan, Metal or DX12 adapter",
            ),
        };
        if built {
            format!("no such {driver} found")
        } else {
            format!("this build has no {feature} support (build with `--features {feature}`)")
        }
    }

    /// Has CubeCL keep between runs which kernels were fastest and what was compiled, in the user's
    /// cache folder. By itself it forgets compiled kernels and writes into a `target/` folder.
    ///
    /// A `cubecl.toml` beside or above the working folder can name another folder, and `CUBECL_…`
    /// variables change the rest, as everywhere.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn keep_caches() {
        use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};

        let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
        config.compilation.cache = true;
        let folder = directories::ProjectDirs::from("", "", "nas-script");
        if let (CacheConfig::Target, Some(folder)) = (&config.environment.path, folder) {
            config.environment.path = CacheConfig::Directory(folder.cache_dir().into());
        }
        // Only the first call sets it: devices are opened after.
        CubeClRuntimeConfig::try_set(config);
    }

    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn listed(kind: burn::tensor::DeviceType, name: fn(usize) -> Selector) -> Vec<Compute> {
        keep_caches();
        // A driver's loader may panic instead of reporting that there is none.
        let devices = super::quietly(|| burn::tensor::Device::enumerate(kind).into_vec());
        let devices = devices.unwrap_or_default().into_iter().enumerate();
        devices
            .map(|(index, device)| Compute {
                selector: name(index),
                description: super::quietly(|| device.identity())
                    .flatten()
                    .map_or_else(|| "unnamed".into(), |identity| identity.name),
                gpu: !is_software(&device),
                device,
            })
            .collect()
    }

    /// Whether the device is a software driver that runs on the CPU, such as Mesa's.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    fn is_software(device: &burn::tensor::Device) -> bool {
        // Burn keeps the adapter's kind private but for this form.
        format!("{device:?}").contains("kind: Cpu")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_parse_and_print() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3", "wgpu:1"] {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<Selector>().unwrap(), Selector::Cuda(0));
        for text in ["", "gpu", "cuda:x", "cuda:-1", "cpu:1", "auto:0"] {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            let expected = "device: expected auto, cpu, cuda[:N] or wgpu[:N], found ";
            assert_eq!(error, format!("{expected}{text}"));
        }
    }

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(available().last().unwrap().selector, Selector::Cpu);
        assert_eq!(open(Selector::Cpu).unwrap().selector, Selector::Cpu);
        assert!(open(Selector::Auto).is_ok());
    }

    #[test]
    fn an_absent_device_is_an_error_that_lists_the_present() {
        let error = open(Selector::Cuda(99)).unwrap_err().to_string();
        assert!(
            error.starts_with("device 'cuda:99' is not available: "),
            "{error}"
        );
        assert!(error.ends_with("cpu"), "{error}");
    }
}
