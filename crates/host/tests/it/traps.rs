//! What the log says of traps.

use crate::rig::{Http, Rig, both, engine, guest, text};
use coracle_host::{Cause, Engine, Grant, Settings};
use coracle_manifest::{Limits, Reuse};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The process's events, by component.
#[derive(Default)]
struct Events {
    list: Mutex<Vec<Said>>,
    more: Condvar,
}

#[derive(Clone, Debug, Default)]
struct Said {
    component: String,
    request: String,
    text: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let to = match field.name() {
            "component" => &mut self.component,
            "request" => &mut self.request,
            "message" => &mut self.text,
            _ => return,
        };
        write!(to, "{value:?}").unwrap();
    }
}

struct Listener(Arc<Events>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("coracle_host::trap")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        self.0.list.lock().unwrap().push(said);
        self.0.more.notify_all();
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Events {
    fn listen() -> &'static Arc<Self> {
        static EVENTS: OnceLock<Arc<Events>> = OnceLock::new();
        EVENTS.get_or_init(|| {
            let events = Arc::<Events>::default();
            tracing::subscriber::set_global_default(Listener(Arc::clone(&events))).unwrap();
            events
        })
    }

    /// What was said of a component, once it is enough.
    fn of(&self, component: &str, enough: impl Fn(&[Said]) -> bool) -> Vec<Said> {
        let said = |list: &MutexGuard<'_, Vec<Said>>| -> Vec<Said> {
            list.iter().filter(|said| said.component == component).cloned().collect()
        };
        let (list, _) = self
            .more
            .wait_timeout_while(self.list.lock().unwrap(), Duration::from_secs(60), |list| {
                !enough(&list.iter().filter(|said| said.component == component).cloned().collect::<Vec<_>>())
            })
            .unwrap();
        said(&list)
    }
}

#[tokio::test]
async fn the_functions_that_led_to_a_trap_are_told_by_name_and_line() {
    let events = Events::listen();
    for name in ["named/trap3", "named/trap2"] {
        // Lines come from what is kept beside the code, which another build of this test may have left without.
        let cache = tempfile::tempdir().unwrap();
        let settings = Settings { cache_dir: Some(cache.path().join("code")), instances: 8, ..Settings::default() };
        let engine = Engine::new(&settings).unwrap();
        let grants: Vec<(Arc<dyn coracle_host::Plugin>, _)> = vec![(Arc::new(Http), Grant::Denied)];
        let rig = Rig::with(&engine, name, Limits::default(), Reuse::default(), grants).await;
        assert_eq!(text(rig.get("/?items=2").await.unwrap()).await.unwrap(), "7");
        let failure = rig.get("/?items=3").await.unwrap_err();
        assert_eq!(failure.cause, Cause::Trap);
        assert_eq!(failure.detail, format!("`{name}` trapped: wasm trap: wasm `unreachable` instruction executed"));
        let said = events.of(name, |said| !said.is_empty());
        let told = &said[0].text;
        assert!(
            told.starts_with("the guest trapped: wasm trap: wasm `unreachable` instruction executed\n  at "),
            "{told}"
        );
        let lines: Vec<&str> = told.lines().collect();
        let at = |name: &str, place: &str| {
            let at = lines.iter().position(|line| line.contains(name) && line.ends_with(place));
            at.unwrap_or_else(|| panic!("no {name} at {place}: {told}"))
        };
        let total = at("total (", "named/src/lib.rs:12)");
        let checkout = at("coracle_guests_named::checkout (", "named/src/lib.rs:6)");
        assert_eq!(total + 1, checkout, "what is inlined stands before what it is inlined into: {told}");
        assert_eq!(said[0].request.len(), 32, "{said:?}");
    }
}

#[tokio::test]
async fn a_recursion_is_told_once() {
    let events = Events::listen();
    let rig = Rig::new("named/trap3", Limits::default(), Reuse::default()).await;
    rig.get("/?nested=9").await.unwrap_err();
    let said = events.of("named/trap3", |said| said.iter().any(|said| said.text.contains("nested")));
    let told = &said.last().unwrap().text;
    assert!(told.contains("coracle_guests_named::nested"), "{told}");
    assert!(told.contains(" times more\n"), "{told}");
}

#[tokio::test]
async fn a_component_without_names_says_so() {
    let events = Events::listen();
    both("trap", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        rig.get("/?when=before").await.unwrap_err();
        let said = events.of(&name, |said| !said.is_empty());
        assert!(said[0].text.contains(" functions without names, first function "), "{said:?}");
        assert!(said[0].text.contains("build it without stripping them"), "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn a_storm_of_traps_is_told_by_its_number() {
    let events = Events::listen();
    let rig = Rig::new("p3/fault", Limits::default(), Reuse::default()).await;
    for _ in 0..40 {
        rig.get("/?when=before").await.unwrap_err();
    }
    let number =
        |said: &Said| said.text.strip_suffix(" more traps, not written out").map(|n| n.parse::<usize>().unwrap());
    let counted = |said: &[Said]| said.iter().map(|said| number(said).unwrap_or(1)).sum::<usize>();
    let said = events.of("p3/fault", |said| counted(said) >= 40);
    assert_eq!(counted(&said), 40, "each trap is told or counted, once: {said:?}");
    assert!(said.iter().any(|said| number(said).is_some_and(|n| n > 1)), "{said:?}");
}

#[tokio::test]
async fn a_guest_that_does_not_start_is_told_of_too() {
    let events = Events::listen();
    assert!(guest("p3/alloc").exists());
    let grants: Vec<(Arc<dyn coracle_host::Plugin>, _)> = vec![(Arc::new(Http), Grant::Denied)];
    let limits = Limits { memory: 64 << 10, ..Limits::default() };
    let rig = Rig::with(&engine(), "p3/alloc", limits, Reuse::default(), grants).await;
    let failure = rig.get("/").await.unwrap_err();
    assert_eq!(failure.cause, Cause::Instantiate);
    let said = events.of("p3/alloc", |said| !said.is_empty());
    assert!(said[0].text.starts_with("the guest could not be started: "), "{said:?}");
}

#[tokio::test]
async fn python_is_told_by_the_functions_of_its_interpreter() {
    let events = Events::listen();
    let rig = Rig::new("py/hello", Limits { memory: 256 << 20, ..Limits::default() }, Reuse::default()).await;
    let failure = rig.get("/throw").await.unwrap_err();
    assert_eq!(failure.cause, Cause::Trap, "{failure:?}");
    let said = events.of("py/hello", |said| !said.is_empty());
    assert!(said[0].text.starts_with("the guest trapped: "), "{said:?}");
    assert!(said[0].text.contains("\n  at "), "{said:?}");
    assert!(said[0].text.len() <= 4096, "{said:?}");
}
