//! The host interfaces that components may be granted, one module each. [`all`] is the one list: a new plugin is its
//! file and a line there. Called by the edge, which hands the list to the host; knows neither routes nor requests.

mod config;
mod files;
mod http;
pub mod kv;
mod logging;
mod otel;
mod sockets;

use coracle_host::Plugin;
use std::sync::Arc;

/// Every plugin of this build.
pub fn all() -> Vec<Arc<dyn Plugin>> {
    vec![
        Arc::new(config::Config),
        Arc::new(files::Files),
        Arc::new(http::Http),
        Arc::new(kv::KeyValue),
        Arc::new(logging::Logging),
        Arc::new(otel::Otel),
        Arc::new(sockets::Sockets),
    ]
}
