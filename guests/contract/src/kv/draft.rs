//! wasi:keyvalue@0.2.0-draft: cursors and counters are unsigned numbers, and there is no compare-and-swap.

use super::{Bucket, Found, Swap, access_denied, no_such_store, number, parse, run};
use crate::{Reply, Target};

wit_bindgen::generate!({ path: "../wit", world: "kv", generate_all });

use wasi::keyvalue0_2_0_draft::store::{self, Error};
use wasi::keyvalue0_2_0_draft::{atomics, batch};

/// Does what the request says, through this draft.
pub fn reply(method: &str, target: &Target, body: Vec<u8>) -> Reply {
    parse(method, target, body)
        .and_then(|(store, call)| run(&store::open(&store).map_err(refused)?, call))
        .unwrap_or_else(|reply| reply)
}

fn refused(error: Error) -> Reply {
    match error {
        Error::NoSuchStore => no_such_store(),
        Error::AccessDenied => access_denied(),
        Error::Other(text) => Reply::text(500, text),
    }
}

impl Bucket for store::Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Reply> {
        self.get(key).map_err(refused)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Reply> {
        self.set(key, value).map_err(refused)
    }

    fn delete(&self, key: &str) -> Result<(), Reply> {
        self.delete(key).map_err(refused)
    }

    fn exists(&self, key: &str) -> Result<bool, Reply> {
        self.exists(key).map_err(refused)
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Reply> {
        let page = self.list_keys(cursor.map(number).transpose()?).map_err(refused)?;
        Ok((page.keys, page.cursor.map(|cursor| cursor.to_string())))
    }

    fn increment(&self, key: &str, delta: &str) -> Result<String, Reply> {
        let sum = atomics::increment(self, key, number(delta)?).map_err(refused)?;
        Ok(sum.to_string())
    }

    fn swap(&self, _key: &str, _swap: &Swap) -> Result<(), Reply> {
        Err(Reply::text(501, "this draft has no compare-and-swap"))
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Found>, Reply> {
        let found = batch::get_many(self, keys).map_err(refused)?;
        // An absent pair doesn't say its key here; its place does.
        let pair = |(found, asked): (Option<(String, Vec<u8>)>, &String)| match found {
            Some((key, value)) => (key, Some(value)),
            None => (asked.clone(), None),
        };
        Ok(found.into_iter().zip(keys).map(pair).collect())
    }

    fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Reply> {
        batch::set_many(self, pairs).map_err(refused)
    }

    fn delete_many(&self, keys: &[String]) -> Result<(), Reply> {
        batch::delete_many(self, keys).map_err(refused)
    }
}
