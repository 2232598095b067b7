//! See `network` of the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nas_script_fuzz::network(bytes));
