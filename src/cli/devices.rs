//! `nas-script devices`: what can compute here.

use crate::device;
use crate::report::progress::say;

pub(super) fn list() {
    for compute in device::available() {
        let note = match compute.selector {
            device::Selector::Cpu => "",
            _ if compute.gpu => "",
            _ => "  software driver: `auto` passes it over",
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
