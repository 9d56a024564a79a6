//! The list of attacks. A new one is an entry here.

use std::time::Duration;

use super::case::{Attack, Tally};
use super::{clients, floods, guests, own};

/// A host that is busy says so; that is never wrong. Nor is a deadline, for the machine may be slow.
const BUSY: &[&str] = &["503 busy", "503 no-room", "504 deadline"];

/// What most cases have.
const PLAIN: Attack = Attack {
    name: "",
    what: "",
    run: |_| Ok(Tally::default()),
    must: &[],
    may: BUSY,
    afterwards: "/hello",
    at_least: Duration::ZERO,
};

/// The host's own timeout for a head and for idle connections is 30 s.
const OVER_30_S: Duration = Duration::from_secs(33);

pub const ALL: &[Attack] = &[
    // CPU time.
    Attack {
        name: "spin",
        what: "a loop without end before the head",
        run: |scene| guests::four(scene, "/spin?when=before"),
        must: &["500 cpu-limit"],
        afterwards: "/spin",
        ..PLAIN
    },
    Attack {
        name: "spin-0.2",
        what: "the same in a component of WASI 0.2",
        run: |scene| guests::four(scene, "/spin2?when=before"),
        must: &["500 cpu-limit"],
        afterwards: "/spin2",
        ..PLAIN
    },
    Attack {
        name: "spin-after-head",
        what: "a loop without end when the head and some of the body are out",
        run: |scene| guests::four(scene, "/spin?when=after"),
        must: &["200 cut"],
        afterwards: "/spin",
        ..PLAIN
    },
    Attack {
        name: "spin-after-response",
        what: "a loop without end when the response is out",
        run: |scene| guests::four(scene, "/spin?when=post&ms=50"),
        must: &["200"],
        afterwards: "/spin",
        ..PLAIN
    },
    Attack {
        name: "spin-at-start",
        what: "a loop without end in the start function of the component",
        run: |scene| guests::four(scene, "/start-spin"),
        must: &["500 cpu-limit"],
        ..PLAIN
    },
    Attack {
        name: "spin-host-calls",
        what: "asks for the time without end",
        run: |scene| guests::four(scene, "/host3?do=clock"),
        must: &["500 cpu-limit"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "spin-host-calls-0.2",
        what: "asks for a mebibyte of chance at a time, without end",
        run: |scene| guests::four(scene, "/host2?do=random"),
        must: &["500 cpu-limit"],
        afterwards: "/host2",
        ..PLAIN
    },
    Attack {
        name: "bulk",
        what: "copies 32 MiB by one instruction, again and again",
        run: |scene| guests::four(scene, "/wasm?do=bulk"),
        must: &["500 cpu-limit"],
        afterwards: "/wasm",
        ..PLAIN
    },
    Attack {
        name: "twelve",
        what: "four that loop, four that grow and four that trap at once",
        run: guests::twelve,
        must: &["500 cpu-limit", "500 trap"],
        may: &["200", "500 memory-limit", "503 busy", "503 no-room", "504 deadline"],
        afterwards: "/spin",
        ..PLAIN
    },
    // Memory.
    Attack {
        name: "grow",
        what: "asks for 4 GiB and touches what it gets",
        run: |scene| guests::four(scene, "/alloc?mb=4096"),
        must: &["200", "500 memory-limit"],
        afterwards: "/alloc",
        ..PLAIN
    },
    Attack {
        name: "grow-and-hold",
        what: "sixty-four at once take what they get and keep it",
        run: |scene| guests::many(scene, "/alloc2?mb=60&hold=300"),
        must: &["200"],
        may: &["500 memory-limit", "503 busy", "503 no-room", "504 deadline"],
        afterwards: "/alloc2",
        ..PLAIN
    },
    Attack {
        name: "many-memories",
        what: "twenty-four memories beside its own, each grown to 2.5 MiB",
        run: |scene| guests::four(scene, "/memories"),
        must: &["200", "500 memory-limit", "500 instantiate"],
        afterwards: "",
        ..PLAIN
    },
    Attack {
        name: "table-growth",
        what: "twenty-four tables, each grown as far as it goes",
        run: |scene| guests::four(scene, "/tables"),
        must: &["200", "500 memory-limit", "500 instantiate"],
        afterwards: "",
        ..PLAIN
    },
    Attack {
        name: "large-memory",
        what: "a memory of 2 GiB from the beginning",
        run: |scene| guests::four(scene, "/large"),
        must: &["500 instantiate", "500 memory-limit"],
        ..PLAIN
    },
    Attack {
        name: "hoard",
        what: "headers of 100 KiB in four hundred handles: memory of the host's, not of the guest's",
        run: |scene| guests::many(scene, "/host3?do=hoard&n=400"),
        must: &["500 *", "504 deadline"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "hoard-0.2",
        what: "the same in a component of WASI 0.2",
        run: |scene| guests::many(scene, "/host2?do=hoard&n=400"),
        must: &["500 *", "504 deadline"],
        afterwards: "/host2",
        ..PLAIN
    },
    // Traps.
    Attack {
        name: "trap-storm",
        what: "a trap before the head, a thousand times a second",
        run: |scene| guests::storm(scene, "/trap?when=before"),
        must: &["500 trap"],
        afterwards: "/trap",
        ..PLAIN
    },
    Attack {
        name: "trap-storm-0.2",
        what: "the same in a component of WASI 0.2",
        run: |scene| guests::storm(scene, "/trap2?when=before"),
        must: &["500 trap"],
        afterwards: "/trap2",
        ..PLAIN
    },
    Attack {
        name: "trap-after-head",
        what: "a trap when the head and some of the body are out",
        run: |scene| guests::storm(scene, "/trap?when=after"),
        must: &["200 cut"],
        afterwards: "/trap",
        ..PLAIN
    },
    Attack {
        name: "trap-shared",
        what: "traps in instances that sixteen requests share, harmless ones among them",
        run: guests::shared,
        must: &["500 trap", "harmless 200"],
        may: &["50*", "harmless 50*", "harmless 200 cut"],
        afterwards: "/shared",
        ..PLAIN
    },
    Attack {
        name: "trap-at-start",
        what: "a trap in the start function of the component",
        run: |scene| guests::storm(scene, "/start-trap"),
        must: &["500 instantiate", "500 trap"],
        ..PLAIN
    },
    Attack {
        name: "recursion",
        what: "a function that calls itself without end",
        run: |scene| guests::storm(scene, "/wasm?do=recurse"),
        must: &["500 trap"],
        afterwards: "/wasm",
        ..PLAIN
    },
    Attack {
        name: "panic-message",
        what: "a panic with a mebibyte to say",
        run: |scene| guests::storm(scene, "/wasm?do=message"),
        must: &["500 trap"],
        may: &["500 cpu-limit", "503 busy", "503 no-room", "504 deadline"],
        afterwards: "/wasm",
        ..PLAIN
    },
    // Handles, tasks, streams.
    Attack {
        name: "handle-flood",
        what: "handles without end",
        run: |scene| guests::four(scene, "/host3?do=fields"),
        must: &["500 trap"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "handle-flood-0.2",
        what: "pollables without end",
        run: |scene| guests::four(scene, "/host2?do=pollables"),
        must: &["500 trap"],
        afterwards: "/host2",
        ..PLAIN
    },
    Attack {
        name: "task-flood",
        what: "fifty thousand host calls under way at once",
        run: |scene| guests::four(scene, "/host3?do=timers&n=50000"),
        must: &["500 trap", "500 cpu-limit", "504 deadline", "500 memory-limit"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "stream-flood",
        what: "streams without end",
        run: |scene| guests::four(scene, "/host3?do=streams"),
        must: &["500 trap", "500 cpu-limit", "500 memory-limit"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "stream-never-written",
        what: "a head, and then a body that never comes",
        run: |scene| guests::many(scene, "/host3?do=write-never"),
        must: &["200 cut"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "stream-never-written-0.2",
        what: "the same in a component of WASI 0.2",
        run: |scene| guests::many(scene, "/host2?do=unfinished"),
        must: &["200 cut"],
        afterwards: "/host2",
        ..PLAIN
    },
    Attack {
        name: "stream-never-read",
        what: "uploads that their guest never looks at",
        run: clients::upload_unread,
        must: &["504 deadline"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "never-answers",
        what: "a guest that sleeps for an hour",
        run: |scene| guests::many(scene, "/host2?do=sleep"),
        must: &["504 deadline"],
        afterwards: "/host2",
        ..PLAIN
    },
    Attack {
        name: "log-flood",
        what: "a hundred thousand lines to standard output, again and again",
        run: |scene| guests::four(scene, "/logs?flood=100000"),
        must: &["200", "500 cpu-limit"],
        afterwards: "/logs",
        ..PLAIN
    },
    Attack {
        name: "log-flood-no-lines",
        what: "standard output without end and without a line's end",
        run: |scene| guests::four(scene, "/host3?do=stdout"),
        must: &["500 cpu-limit", "504 deadline"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "log-flood-0.2",
        what: "the same in a component of WASI 0.2",
        run: |scene| guests::four(scene, "/host2?do=stdout"),
        must: &["500 cpu-limit", "504 deadline"],
        afterwards: "/host2",
        ..PLAIN
    },
    Attack {
        name: "outbound-flood",
        what: "a thousand slow requests going out at once, of each of four",
        run: |scene| guests::four(scene, &format!("/host3?do=fetch&n=1000&url=http://{}/slow", scene.app.behind)),
        must: &["504 deadline", "500 cpu-limit", "200", "500 trap"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "self-request",
        what: "a component that asks itself, twice for each time it is asked",
        run: |scene| guests::four(scene, &format!("/host3?do=fetch&n=2&again=1&url=http://{}", scene.app.own)),
        must: &["200", "504 deadline", "500 cpu-limit"],
        afterwards: "/host3",
        ..PLAIN
    },
    // Clients that are slow.
    Attack {
        name: "slowloris-head",
        what: "two hundred heads that come a byte a second",
        run: clients::slow_head,
        must: &["silence", "closed", "408*", "reset"],
        at_least: OVER_30_S,
        ..PLAIN
    },
    Attack {
        name: "slowloris-body",
        what: "bodies that come a byte a second, to a guest that streams them back",
        run: clients::slow_body,
        must: &["200 stalls", "200 cut", "200 goes on"],
        may: &["503 busy", "504 deadline"],
        afterwards: "/echo",
        ..PLAIN
    },
    Attack {
        name: "slowloris-body-unread",
        what: "the same to a guest that doesn't look at them",
        run: clients::slow_body_unanswered,
        must: &["504 deadline", "silence"],
        may: &["503 busy", "closed", "reset"],
        afterwards: "/host3",
        ..PLAIN
    },
    Attack {
        name: "slowloris-out",
        what: "answers without end of which nothing is read",
        run: |scene| clients::slow_reader(scene, "/abort"),
        must: &["200 cut", "200 goes on", "200 stalls"],
        afterwards: "/drip?n=1",
        at_least: OVER_30_S,
        ..PLAIN
    },
    Attack {
        name: "slowloris-out-0.2",
        what: "the same of a component of WASI 0.2",
        run: |scene| clients::slow_reader(scene, "/abort2"),
        must: &["200 cut", "200 goes on", "200 stalls"],
        afterwards: "/drip?n=1",
        at_least: OVER_30_S,
        ..PLAIN
    },
    Attack {
        name: "pipeline",
        what: "requests without end on one connection, of whose answers nothing is read",
        run: clients::pipeline,
        must: &["200"],
        may: &["200 cut", "200 goes on", "200 stalls"],
        ..PLAIN
    },
    Attack {
        name: "idle-connections",
        what: "ten thousand connections that say nothing",
        run: clients::idle,
        must: &["10000 opened"],
        // Whoever finds no place for that long is lost.
        at_least: Duration::from_secs(14),
        ..PLAIN
    },
    Attack {
        name: "connect-storm",
        what: "connections that are closed as soon as they are open",
        run: clients::connect_storm,
        must: &["opened"],
        ..PLAIN
    },
    // Clients that leave.
    Attack {
        name: "cancel-storm",
        what: "clients that leave within milliseconds of asking for what takes CPU time",
        run: |scene| clients::cancel(scene, "/spin?ms=50"),
        must: &["left"],
        afterwards: "/spin",
        ..PLAIN
    },
    Attack {
        name: "cancel-storm-streams",
        what: "the same of answers that are streamed",
        run: |scene| clients::cancel(scene, "/drip?n=100&ms=10"),
        must: &["left"],
        afterwards: "/drip?n=1",
        ..PLAIN
    },
    // What is too large.
    Attack {
        name: "many-headers",
        what: "a head with twenty thousand headers",
        run: |scene| clients::bombs(scene, &clients::many_headers()),
        must: &["431*", "reset", "closed"],
        may: &["half a head*"],
        ..PLAIN
    },
    Attack {
        name: "large-header",
        what: "a header of four mebibytes",
        run: |scene| clients::bombs(scene, &clients::large_header()),
        must: &["431*", "reset", "closed"],
        may: &["half a head*"],
        ..PLAIN
    },
    Attack {
        name: "chunk-extensions",
        what: "chunks of a byte, each with four kibibytes of extension",
        run: |scene| clients::bombs(scene, &clients::chunk_extensions()),
        must: &["200 cut", "400*", "reset", "closed"],
        afterwards: "/echo",
        ..PLAIN
    },
    Attack {
        name: "tiny-chunks",
        what: "a body of twenty thousand chunks of a byte",
        run: |scene| clients::bombs(scene, &clients::tiny_chunks()),
        must: &["200", "500 cpu-limit", "200 cut"],
        afterwards: "/echo",
        ..PLAIN
    },
    Attack {
        name: "endless-body",
        what: "a body beyond the limit that does not say how long it is",
        run: |scene| clients::bombs(scene, &clients::endless_body()),
        must: &["200 cut", "413 body-too-large", "reset"],
        may: &["503 busy", "200 goes on", "200 stalls"],
        afterwards: "/echo",
        ..PLAIN
    },
    // HTTP/2.
    Attack {
        name: "h2-rapid-reset",
        what: "requests that are taken back at once",
        run: floods::rapid_reset,
        must: &["goaway calm-down"],
        may: &["closed", "reset", "refused"],
        ..PLAIN
    },
    Attack {
        name: "h2-made-to-reset",
        what: "requests that make the host reset them",
        run: floods::made_to_reset,
        must: &["goaway *"],
        may: &["closed", "reset", "refused"],
        ..PLAIN
    },
    Attack {
        name: "h2-continuation",
        what: "a head that never ends",
        run: floods::continuation,
        must: &["goaway *", "reset", "closed"],
        may: &["refused"],
        ..PLAIN
    },
    Attack {
        name: "h2-empty-continuation",
        what: "a head that never ends, in frames that hold nothing",
        run: floods::empty_continuation,
        must: &["goaway *", "reset", "closed"],
        may: &["refused"],
        ..PLAIN
    },
    Attack {
        name: "h2-table-bomb",
        what: "few bytes that stand for four megabytes of headers",
        run: floods::table_bomb,
        must: &["goaway *", "stream reset", "answered"],
        ..PLAIN
    },
    Attack {
        name: "h2-pings",
        what: "pings whose answers nobody reads",
        run: floods::pings,
        must: &["open", "goaway *", "reset", "closed"],
        ..PLAIN
    },
    Attack {
        name: "h2-settings",
        what: "settings whose answers nobody reads",
        run: floods::settings,
        must: &["open", "goaway *", "reset", "closed"],
        ..PLAIN
    },
    Attack {
        name: "h2-streams",
        what: "three hundred requests at once over each of sixteen connections",
        run: floods::streams,
        must: &["answered or refused"],
        may: &["goaway *", "open with *"],
        afterwards: "/drip?n=1",
        ..PLAIN
    },
    Attack {
        name: "h2-closed-window",
        what: "answers without end, and no window to send them",
        run: floods::closed_window,
        must: &["open*", "goaway *"],
        may: &["reset", "closed"],
        afterwards: "/drip?n=1",
        ..PLAIN
    },
    // The host itself.
    Attack {
        name: "unread-log",
        what: "a log that nobody reads, in a host of its own",
        run: own::unread_log,
        must: &["200"],
        may: &["500 trap", "livez 200", "ended with Some(0)", "503 *"],
        ..PLAIN
    },
    Attack {
        name: "compile-bomb",
        what: "a reload with a component that takes more than a gigabyte to compile",
        run: own::compile_bomb,
        must: &["refused"],
        ..PLAIN
    },
];
