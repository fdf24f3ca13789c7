//! See `bodies::reader`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| strongroom::bodies::reader(data));
