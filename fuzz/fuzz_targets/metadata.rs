//! See `bodies::metadata`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| strongroom::bodies::metadata(data));
