//! Random damage to real components: whatever the bytes, admission answers and never panics, and what it still admits is
//! internally consistent.

use proptest::prelude::*;

use crate::fixtures::{admitted, committed};

const SAMPLES: [&str; 4] = [
    "wash-runtime-cron-component.wasm",
    "wash-runtime-cron-service.wasm",
    "wash-runtime-http-blobstore.wasm",
    "oci-wasm-binary-wit.wasm",
];

/// Admits and, if that succeeds, asks everything an admitted component can be asked.
fn survive(bytes: Vec<u8>) {
    let size = bytes.len() as u64;
    match admitted(bytes) {
        Ok(admitted) => {
            assert_eq!(admitted.size, size);
            assert_eq!(admitted.serve().is_ok(), admitted.world.is_http());
        }
        Err(refusal) => assert!(!refusal.to_string().contains(char::is_control), "{refusal}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes(sample in 0..SAMPLES.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24)) {
        let mut bytes = committed(SAMPLES[sample]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survive(bytes);
    }

    /// The interesting structure (types, imports, canonical functions, exports) lies outside of the code.
    #[test]
    fn changed_structure(sample in 0..SAMPLES.len(), changes in prop::collection::vec((0_usize..6_000, any::<bool>(), any::<u8>()), 1..8)) {
        let mut bytes = committed(SAMPLES[sample]);
        let length = bytes.len();
        for (distance, from_end, value) in changes {
            bytes[if from_end { length - 1 - distance } else { 8 + distance }] = value;
        }
        survive(bytes);
    }

    #[test]
    fn cut_and_spliced(sample in 0..SAMPLES.len(), other in 0..SAMPLES.len(), cut in any::<prop::sample::Index>(), join in any::<prop::sample::Index>()) {
        let mut bytes = committed(SAMPLES[sample]);
        bytes.truncate(cut.index(bytes.len()));
        survive(bytes.clone());
        let tail = committed(SAMPLES[other]);
        bytes.extend(&tail[join.index(tail.len())..]);
        survive(bytes);
    }

    #[test]
    fn noise(head in prop::sample::select(vec![&b""[..], b"\0asm", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"]), tail in prop::collection::vec(any::<u8>(), 0..400)) {
        survive([head, &tail].concat());
    }

    /// Sections of known kinds with random contents and right lengths reach further than noise.
    #[test]
    fn random_sections(sections in prop::collection::vec((0_u8..13, prop::collection::vec(0_u8..0x80, 0..60)), 0..12)) {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for (id, contents) in sections {
            bytes.extend([id, u8::try_from(contents.len()).unwrap()]);
            bytes.extend(contents);
        }
        survive(bytes);
    }
}

/// Every prefix of a whole component's head and tail is refused, none is taken for something smaller but whole.
#[test]
fn every_cut_is_refused() {
    let whole = committed("wash-runtime-cron-component.wasm");
    let cuts = (0..3_000).chain((3_000..whole.len()).step_by(997)).chain(whole.len() - 500..whole.len());
    let admitted_at: Vec<usize> =
        cuts.filter(|cut| admitted(whole[..*cut].to_vec()).is_ok_and(|a| a.serve().is_ok())).collect();
    assert!(admitted_at.is_empty(), "{admitted_at:?}");
}
