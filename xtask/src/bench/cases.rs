//! The cases: who takes part in each, what is asked for, and how it is measured. A list, and nothing happens here.

use clap::ValueEnum;

use super::contender::{Contender, Peer, Reuse};
use super::load::{Expect, Request};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// `hello`, WASI 0.2 and 0.3, fresh and reused
    Hello,
    /// `hello` with a new instance for each request, on one shard and on two
    Shards,
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
    /// strace counts.
    Syscalls,
}

pub struct Plan {
    pub method: Method,
    pub request: Request,
    pub contenders: Vec<Contender>,
}

pub fn plan(case: Case) -> Plan {
    let request = get("/", "hello\n");
    match case {
        Case::Hello => Plan { method: Method::Connections(vec![32]), request, contenders: hello() },
        Case::Shards => Plan { method: Method::Connections(vec![32]), request, contenders: shards() },
        Case::Syscalls => Plan { method: Method::Syscalls, request, contenders: hello() },
    }
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
