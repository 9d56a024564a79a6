//! The cases of real work: what teams move out of Node, in Rust, TypeScript and Python guests against the same in Node.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::contender::{Contender, Peer, Places, Reuse};
use super::load::{Expect, Request};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Json,
    Hs256,
    Rs256,
    Schema,
    Markdown,
    Thumbnail,
}

impl Work {
    /// The guest in Rust.
    fn rust(self) -> &'static str {
        match self {
            Self::Json => "p3/bench_json",
            Self::Hs256 | Self::Rs256 => "p3/bench_jwt",
            Self::Schema => "p3/bench_schema",
            Self::Markdown => "p3/bench_markdown",
            Self::Thumbnail => "p3/bench_thumbnail",
        }
    }

    /// The path in Node.
    fn node(self) -> &'static str {
        match self {
            Self::Json => "/json",
            Self::Hs256 | Self::Rs256 => "/jwt",
            Self::Schema => "/schema",
            Self::Markdown => "/markdown",
            Self::Thumbnail => "/thumbnail",
        }
    }

    /// The path in TypeScript: that in Node, but the engine's WebCrypto (StarlingMonkey, componentize-js 0.23) takes no RSA
    /// key from jose.
    fn javascript(self) -> Option<&'static str> {
        (self != Self::Rs256).then(|| self.node())
    }

    /// The path in Python, where its standard library is enough.
    fn python(self) -> Option<&'static str> {
        match self {
            Self::Json => Some("/json"),
            Self::Hs256 => Some("/hs256"),
            Self::Rs256 | Self::Schema | Self::Markdown | Self::Thumbnail => None,
        }
    }

    pub fn request(self, places: &Places) -> Result<Request> {
        let data = places.root.join("guests/work/data");
        let (expect, body) = match self {
            Self::Json => (Expect::Exactly(document().into_bytes()), None),
            Self::Hs256 | Self::Rs256 => (Expect::Exactly(b"user-42\n".to_vec()), None),
            Self::Schema => (Expect::Exactly(b"valid\n".to_vec()), Some(data.join("order.json"))),
            Self::Markdown => (Expect::Contains("<h1>Coracle</h1>"), Some(data.join("article.md"))),
            Self::Thumbnail => (Expect::Jpeg(12_000), Some(places.node.join("photo.jpg"))),
        };
        let headers = match self {
            Self::Hs256 => vec![("authorization", bearer(&data.join("hs256.jwt"))?)],
            Self::Rs256 => vec![("authorization", bearer(&data.join("rs256.jwt"))?)],
            Self::Schema => vec![("content-type", "application/json".to_owned())],
            Self::Json | Self::Markdown | Self::Thumbnail => Vec::new(),
        };
        let read =
            |file: &std::path::PathBuf| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        Ok(Request { path: "/".to_owned(), headers, body: body.as_ref().map(read).transpose()?, expect })
    }

    pub fn contenders(self) -> Vec<Contender> {
        let at = |contender: Contender, path| Contender { path: Some(path), ..contender };
        let mut all = vec![at(Contender::script("work.mjs"), self.node())];
        if self == Self::Thumbnail {
            all.push(at(Contender::script("work.mjs"), "/sharp"));
        }
        for reuse in [Reuse::Reused, Reuse::Fresh] {
            all.extend([Peer::Wasmtime, Peer::Coracle].map(|peer| Contender::guest(peer, self.rust(), reuse)));
        }
        let mut script = |guest, path, reuse| {
            let peers = [Peer::Wasmtime, Peer::Coracle];
            all.extend(peers.map(|peer| at(Contender::guest(peer, guest, reuse), path)));
        };
        // componentize-js 0.23 makes components that answer one request an instance: the second one fails in the guest.
        if let Some(path) = self.javascript() {
            script("js/bench_work", path, Reuse::Fresh);
        }
        if let Some(path) = self.python() {
            script("py/bench_work", path, Reuse::Reused);
        }
        all
    }
}

fn bearer(file: &Path) -> Result<String> {
    let token = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(format!("Bearer {}", token.trim()))
}

/// The document that everybody makes: 16 KiB of JSON.
fn document() -> String {
    let item = |index: u32| {
        let tag = if index.is_multiple_of(2) { "even" } else { "odd" };
        let stock = !index.is_multiple_of(7);
        json!({ "id": index, "name": format!("part {index}"), "price": index * 37 % 1000, "stock": stock, "tags": ["bench", tag] })
    };
    json!({ "items": (0..214).map(item).collect::<Vec<Value>>() }).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_has_16_kib() {
        assert_eq!(super::document().len(), 16389);
    }
}
