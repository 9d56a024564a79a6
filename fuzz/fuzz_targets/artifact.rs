//! Any bytes are admitted or refused in words; what is admitted can say whether it can be served.
#![no_main]

use coracle_artifact::{Options, admit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match admit(bytes.to_vec(), &Options::default()) {
        Ok(admitted) => {
            let served = admitted.serve().map_err(|refusal| refusal.to_string());
            assert!(served.is_ok() || served.is_err_and(|why| !why.is_empty()));
            let _ = admitted.is_sequential();
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
});
