//! The grant `http`: outbound requests. The rules, the client and the answer "denied" live in `coracle_host::egress`;
//! this plugin reads the rules and links `wasi:http`, whose types are there for every component.

use coracle_host::egress::{Rule, Rules};
use coracle_host::{Check, Checked, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Seed, Ungranted};
use coracle_manifest::value::Node;
use coracle_manifest::{Diagnostic, codes};
use http::uri::PathAndQuery;
use serde_json::json;
use std::sync::Arc;
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView, p3};

pub struct Http;

/// `wasi:http/client.send` as the runtime has it, but for a request without a path: that asks for the root, where the runtime refuses
/// it as no address.
fn send(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.instance("wasi:http/client@0.3.0")?.func_wrap_concurrent(
        "send",
        |accessor: &Accessor<Guest>, (request,): (Resource<p3::Request>,)| {
            Box::pin(async move {
                accessor.with(|mut store| -> wasmtime::Result<()> {
                    let request = store.get().table.get_mut(&request)?;
                    request.path_with_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
                    Ok(())
                })?;
                let http = accessor.with_getter::<WasiHttp>(<Guest as WasiHttpView>::http);
                match <WasiHttp as HostWithStore<Guest>>::send(&http, request).await {
                    Ok(response) => Ok((Ok(response),)),
                    Err(error) => error.downcast().map(|code: ErrorCode| (Err(code),)),
                }
            })
        },
    )
}

const fn interface(name: &'static str, ungranted: Ungranted) -> Interface {
    Interface { name, ungranted }
}

impl Plugin for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn interfaces(&self) -> &'static [Interface] {
        const {
            &[
                interface("wasi:http/types@0.2.12", Ungranted::Harmless),
                interface("wasi:http/outgoing-handler@0.2.12", Ungranted::Denied),
                interface("wasi:http/types@0.3.0", Ungranted::Harmless),
                interface("wasi:http/client@0.3.0", Ungranted::Denied),
            ]
        }
    }

    fn schema(&self) -> serde_json::Value {
        let rule = json!({
            "type": "string",
            "description": "[private] [METHOD,METHOD] scheme://host[:port][/path], or * for every public host",
            "examples": ["GET https://api.example.com/**", "https://*.example.com", "private http://redis.internal:8080/**", "*"],
        });
        json!({
            "description": "Where the component may send HTTP requests",
            "oneOf": [rule.clone(), { "type": "array", "items": rule }],
        })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        let mut rules = Vec::new();
        for item in value.list() {
            let Some(text) = item.string(check.diagnostics, "an http rule") else { continue };
            match Rule::parse(text) {
                Ok(rule) => rules.push(rule),
                Err(error) => {
                    let diagnostic =
                        Diagnostic::error(codes::INVALID_VALUE, error.message).at(item.span).help(error.help);
                    check.diagnostics.push(diagnostic);
                }
            }
        }
        let complete = rules.len() == value.list().len();
        complete.then(|| -> Checked { Arc::new(Rules::new(rules)) })
    }

    fn prepare(&self, checked: &Checked, _resources: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Given(Arc::clone(checked)))
    }

    /// The same for every grant: requests are judged where they are sent.
    fn link(&self, linker: &mut Linker<Guest>, _grant: &Grant, mode: Mode) -> wasmtime::Result<()> {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
        match mode {
            Mode::Sequential => Ok(()),
            Mode::Concurrent => {
                wasmtime_wasi_http::p3::add_to_linker(linker)?;
                linker.allow_shadowing(true);
                let defined = send(linker);
                linker.allow_shadowing(false);
                defined
            }
        }
    }

    fn seed(&self, grant: &Grant, seed: &mut Seed) -> wasmtime::Result<()> {
        if let Grant::Given(grant) = grant {
            seed.outbound = Arc::clone(grant).downcast::<Rules>().ok();
        }
        Ok(())
    }
}
