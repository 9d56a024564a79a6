//! wasi:keyvalue@0.2.0-draft2: cursors are text, counters signed, and there is a compare-and-swap.

use super::{Bucket, Found, Swap, access_denied, no_such_store, number, parse, run};
use crate::{Reply, Target};

wit_bindgen::generate!({ path: "../wit", world: "kv2", generate_all });

use wasi::keyvalue0_2_0_draft2::atomics::{self, Cas, CasError};
use wasi::keyvalue0_2_0_draft2::batch;
use wasi::keyvalue0_2_0_draft2::store::{self, Error};

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

/// What a compare-and-swap handle holds, as the body of a refusal.
fn current(status: u16, cas: &Cas) -> Result<Reply, Reply> {
    Ok(Reply::text(status, cas.current().map_err(refused)?.unwrap_or_default()))
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
        let page = self.list_keys(cursor).map_err(refused)?;
        Ok((page.keys, page.cursor))
    }

    fn increment(&self, key: &str, delta: &str) -> Result<String, Reply> {
        let sum = atomics::increment(self, key, number(delta)?).map_err(refused)?;
        Ok(sum.to_string())
    }

    fn swap(&self, key: &str, swap: &Swap) -> Result<(), Reply> {
        let cas = Cas::new(self, key).map_err(refused)?;
        if cas.current().map_err(refused)? != swap.expected {
            return Err(current(412, &cas)?);
        }
        if let Some(other) = &swap.race {
            self.set(key, other).map_err(refused)?;
        }
        match atomics::swap(cas, &swap.value) {
            Ok(()) => Ok(()),
            Err(CasError::StoreError(error)) => Err(refused(error)),
            // The handle that came back must know the value that won.
            Err(CasError::CasFailed(newer)) => Err(current(409, &newer)?),
        }
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Found>, Reply> {
        batch::get_many(self, keys).map_err(refused)
    }

    fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Reply> {
        batch::set_many(self, pairs).map_err(refused)
    }

    fn delete_many(&self, keys: &[String]) -> Result<(), Reply> {
        batch::delete_many(self, keys).map_err(refused)
    }
}
