//! docs/telemetry.md says what the list of metrics says. `CORACLE_RENEW=1` writes it.

use coracle_telemetry::metrics::docs::renew;
use std::path::Path;

#[test]
fn the_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/telemetry.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let renewed = renew(&page).expect("the page has a place for the table");
    if std::env::var_os("CORACLE_RENEW").is_some() {
        std::fs::write(&path, &renewed).unwrap();
    } else {
        assert!(page == renewed, "docs/telemetry.md is not current: run this test once with CORACLE_RENEW=1");
    }
}
