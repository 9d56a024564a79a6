//! Quotes that were computed before, in the key-value store "cache" under "price/". The keys hold the tables'
//! version, so that a changed price is never answered from here. A missing grant only costs the speed.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all });
}

use bindings::wasi::keyvalue::store::{self, Bucket};

/// Larger quantities are not kept: they are rare, and without this bound a client could fill the store.
const QUANTITIES: std::ops::RangeInclusive<u32> = 1..=20;

pub fn open() -> Result<Bucket, store::Error> {
    store::open("cache")
}

/// Where the answer to a question is kept.
pub struct Key {
    pub text: String,
    /// In upper case, empty if none was asked for.
    pub region: String,
}

/// None if this question is not worth keeping. Unknown products and countries never get as far as `set`.
pub fn key(version: &str, sku: &str, query: &str) -> Option<Key> {
    let ask = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let qty: u32 = ask("qty").unwrap_or_else(|| "1".to_owned()).parse().ok()?;
    let country = ask("country")?.to_ascii_uppercase();
    let region = ask("region").unwrap_or_default().to_ascii_uppercase();
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let text = format!("price/{version}/{sku}/{qty}/{country}/{region}");
    (QUANTITIES.contains(&qty) && plain(sku) && plain(&country) && plain(&region)).then_some(Key { text, region })
}

pub fn get(bucket: &Bucket, key: &Key) -> Option<String> {
    String::from_utf8(bucket.get(&key.text).ok()??).ok()
}

pub fn set(bucket: &Bucket, key: &Key, json: &str) {
    if let Err(error) = bucket.set(&key.text, json.as_bytes()) {
        eprintln!("the quote was not kept: {error:?}");
    }
}
