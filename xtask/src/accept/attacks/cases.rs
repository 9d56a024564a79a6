//! The list of attacks. A new one is an entry here.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use super::case::{Attack, Tally};
use super::{client, guests};

/// A host that is busy says so; that is never wrong.
const BUSY: &[&str] = &["503 busy", "503 no-room"];

/// What most cases have.
const PLAIN: Attack = Attack {
    name: "",
    what: "",
    run: |_| Ok(Tally::default()),
    must: &[],
    may: BUSY,
    afterwards: "",
    at_least: Duration::ZERO,
};

pub const ALL: &[Attack] = &[
    Attack {
        name: "spin-in-wasm",
        what: "a loop without end before the head",
        run: |scene| guests::four(scene, "/spin?when=before"),
        must: &["500 cpu-limit"],
        afterwards: "/spin",
        ..PLAIN
    },
    Attack {
        name: "grow",
        what: "asks for 4 GiB and touches what it gets",
        run: |scene| guests::four(scene, "/alloc?mb=4096"),
        must: &["200", "500 memory-limit"],
        afterwards: "/alloc",
        ..PLAIN
    },
    Attack {
        name: "trap-storm",
        what: "a trap before the head, a thousand times a second",
        run: |scene| guests::storm(scene, "/trap?when=before"),
        must: &["500 trap"],
        afterwards: "/trap",
        ..PLAIN
    },
    Attack {
        name: "slowloris-head",
        what: "two hundred heads that come a byte a second",
        run: |scene| {
            let mut open = Vec::new();
            for _ in 0..200 {
                open.push(client::open(scene.addr())?);
            }
            while scene.goes_on() {
                for stream in &mut open {
                    let _ = stream.write_all(b"G");
                }
                sleep(Duration::from_secs(1).min(scene.left()));
            }
            let mut tally = Tally::default();
            open.iter_mut().for_each(|stream| tally.add(client::outcome(stream, Duration::from_millis(1))));
            Ok(tally)
        },
        must: &["silence", "closed", "400*", "408*", "reset"],
        afterwards: "/hello",
        at_least: Duration::from_secs(35),
        ..PLAIN
    },
];
