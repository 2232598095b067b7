//! `nas-script devices`: what can compute here.

use crate::child;
use crate::device;
use crate::report::progress::say;

pub(super) fn list() {
    for compute in device::available() {
        let note = match compute.selector {
            device::Selector::Cpu => format!(", kernels for {}", child::instruction_set()),
            _ if compute.gpu => String::new(),
            _ => "  software driver: `auto` passes it over".into(),
        };
        say(&format!(
            "{:<8} {}{note}",
            compute.selector.to_string(),
            compute.description
        ));
    }
    for (feature, built) in [
        ("cuda", cfg!(feature = "cuda")),
        ("wgpu", cfg!(feature = "wgpu")),
    ] {
        if !built {
            say(&format!(
                "({feature}: not in this build; build with `--features {feature}`)"
            ));
        }
    }
}
