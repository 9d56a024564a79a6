//! The cases: who takes part in each, what is asked for, and how it is measured. A list, and nothing happens here.

use anyhow::Result;
use clap::ValueEnum;

use super::contender::{Contender, Peer, Places, Reuse};
use super::load::{Expect, Request};
use super::work::Work;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// `hello`, WASI 0.2 and 0.3, fresh and reused
    Hello,
    /// `hello` with a new instance for each request, on one shard and on two
    Shards,
    /// `hello` over one connection and over 256
    Connections,
    /// Latency of `hello` at fixed rates, counted from when each request was due
    Latency,
    /// 1 MiB in and out again, over 8 connections
    Echo,
    /// Three requests to another server for each answer
    Fanout,
    /// A JSON document of 16 KiB, made anew for each request
    Json,
    /// A JSON Web Token, verified by a shared secret
    Hs256,
    /// A JSON Web Token, verified by an RSA key
    Rs256,
    /// An order of 1.4 KB, checked by a JSON Schema
    Schema,
    /// 9 KB of Markdown to HTML
    Markdown,
    /// A photograph of 200 KB, made smaller
    Thumbnail,
    /// From the start of a process, and of a new component, to the first byte
    Start,
    /// Thousands of components in one process: what each costs, cold and warm, and its first byte
    Density,
    /// System calls for each of many answers on one connection
    Syscalls,
}

impl Case {
    /// As on the command line, in the JSON, and in headings.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How the contenders of a case are measured.
#[derive(Debug, Clone)]
pub enum Method {
    /// So many connections, each asking again as soon as it is answered. One row for each number.
    Connections(Vec<u32>),
    /// So many requests a second.
    Rates(Vec<u32>),
    /// Starts, timed.
    Start,
    /// Memory by number of components, and first bytes.
    Density,
    /// strace counts.
    Syscalls,
}

pub struct Plan {
    pub method: Method,
    /// Whether hyper's hello runs beside: its port stands for `UPSTREAM` in the request's path.
    pub upstream: bool,
    pub request: Request,
    pub contenders: Vec<Contender>,
}

pub fn plan(case: Case, places: &Places) -> Result<Plan> {
    let under = |method, contenders| Plan { method, upstream: false, request: get("/", "hello\n"), contenders };
    let work = |work: Work| {
        let request = work.request(places)?;
        // Seconds of work for some.
        let connections = if work == Work::Thumbnail { 2 } else { 8 };
        Ok(Plan { request, ..under(Method::Connections(vec![connections]), work.contenders()) })
    };
    Ok(match case {
        Case::Json => return work(Work::Json),
        Case::Hs256 => return work(Work::Hs256),
        Case::Rs256 => return work(Work::Rs256),
        Case::Schema => return work(Work::Schema),
        Case::Markdown => return work(Work::Markdown),
        Case::Thumbnail => return work(Work::Thumbnail),
        Case::Hello => under(Method::Connections(vec![32]), hello()),
        Case::Shards => under(Method::Connections(vec![32]), shards()),
        Case::Connections => under(Method::Connections(vec![1, 256]), hello()),
        Case::Latency => under(Method::Rates(vec![1000, 4000, 16000]), third(hello())),
        Case::Echo => Plan { request: echo(), ..under(Method::Connections(vec![8]), streaming("echo", "echo.mjs")) },
        Case::Fanout => {
            let contenders = streaming("fanout", "fanout.mjs");
            let contenders = contenders.into_iter().filter(|contender| contender.peer != Peer::Wash).collect();
            Plan { upstream: true, request: fanout(), ..under(Method::Connections(vec![32]), contenders) }
        }
        Case::Start => under(Method::Start, starts()),
        Case::Density => {
            let guests = ["p3/hello", "p2/hello"];
            let contenders = guests.map(|guest| Contender::guest(Peer::Coracle, guest, Reuse::Fresh));
            under(Method::Density, contenders.to_vec())
        }
        Case::Syscalls => under(Method::Syscalls, hello()),
    })
}

fn echo() -> Request {
    let body = b"0123456789abcde\n".repeat(1 << 16);
    let headers = vec![("content-type", "application/octet-stream".to_owned())];
    Request { path: "/".to_owned(), headers, expect: Expect::Exactly(body.clone()), body: Some(body) }
}

fn fanout() -> Request {
    let url = "http://127.0.0.1:UPSTREAM/";
    get(&format!("/?a={url}&b={url}&c={url}"), "a: 200 hello\n\nb: 200 hello\n\nc: 200 hello\n\n")
}

fn get(path: &str, answer: &str) -> Request {
    Request { path: path.to_owned(), headers: vec![], body: None, expect: Expect::Exactly(answer.as_bytes().to_vec()) }
}

fn hello() -> Vec<Contender> {
    let mut contenders = vec![Contender::native(Peer::Hyper, "hyper-hello"), Contender::script("hello.mjs")];
    for guest in ["p3/hello", "p2/hello"] {
        for reuse in [Reuse::Reused, Reuse::Fresh] {
            contenders.extend([Peer::Wasmtime, Peer::Coracle].map(|peer| Contender::guest(peer, guest, reuse)));
        }
        contenders.push(Contender::guest(Peer::Wash, guest, Reuse::Fresh));
    }
    contenders
}

/// Those of WASI 0.3, and those without a guest.
fn third(contenders: Vec<Contender>) -> Vec<Contender> {
    contenders.into_iter().filter(|contender| !contender.variant().starts_with("p2")).collect()
}

/// A guest that exists in both sets, and what does the same in Node.
fn streaming(name: &'static str, script: &'static str) -> Vec<Contender> {
    let (p3, p2) = if name == "echo" { ("p3/echo", "p2/echo") } else { ("p3/fanout", "p2/fanout") };
    let mut contenders = vec![Contender::script(script)];
    for guest in [p3, p2] {
        for reuse in [Reuse::Reused, Reuse::Fresh] {
            contenders.extend([Peer::Wasmtime, Peer::Coracle].map(|peer| Contender::guest(peer, guest, reuse)));
        }
        contenders.push(Contender::guest(Peer::Wash, guest, Reuse::Fresh));
    }
    contenders
}

fn starts() -> Vec<Contender> {
    let mut contenders = vec![Contender::native(Peer::Hyper, "hyper-hello"), Contender::script("hello.mjs")];
    for guest in ["p3/hello", "p2/hello", "js/hello", "py/hello"] {
        let peers = [Peer::Wasmtime, Peer::Wash, Peer::Coracle];
        contenders.extend(peers.map(|peer| Contender::guest(peer, guest, Reuse::Fresh)));
    }
    contenders
}

fn shards() -> Vec<Contender> {
    let mut contenders = Vec::new();
    for guest in ["p3/hello", "p2/hello"] {
        for shards in [1, 2] {
            let contender = Contender::guest(Peer::Coracle, guest, Reuse::Fresh);
            contenders.push(Contender { shards: Some(shards), ..contender });
        }
    }
    contenders
}
