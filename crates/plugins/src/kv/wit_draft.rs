//! wasi:keyvalue@0.2.0-draft, mapped onto [`Bucket`]. Numbers are unsigned, cursors are numbers.
//!
//! The functions are synchronous in WIT, so an instance waits in them: other requests in the same instance wait too,
//! the shard does not.

use super::bucket::{Bucket, Error};
use super::calls::{self, noted};
use super::{Interfaces, View};
use wasmtime::component::Resource;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-0.2.0-draft",
        world: "imports",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": crate::kv::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => crate::kv::Error },
    });
}

use bindings::wasi::keyvalue::{atomics, batch, store};

pub(super) fn link(linker: &mut wasmtime::component::Linker<coracle_host::Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, Interfaces>(linker, View::of)?;
    atomics::add_to_linker::<_, Interfaces>(linker, View::of)?;
    batch::add_to_linker::<_, Interfaces>(linker, View::of)
}

impl store::Host for View<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        self.open(&identifier)
    }

    fn convert_error(&mut self, error: Error) -> wasmtime::Result<store::Error> {
        match error {
            Error::NoSuchStore => Ok(store::Error::NoSuchStore),
            Error::AccessDenied => Ok(store::Error::AccessDenied),
            Error::Other(text) => Ok(store::Error::Other(text)),
            Error::Handle(error) => Err(error.into()),
        }
    }
}

impl store::HostBucket for View<'_> {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        let call = self.begin(calls::GET, &bucket);
        noted(call, self.bucket(&bucket)?.get(key).await)
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        let call = self.begin(calls::SET, &bucket);
        noted(call, self.bucket(&bucket)?.set(key, value).await)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Error> {
        let call = self.begin(calls::DELETE, &bucket);
        noted(call, self.bucket(&bucket)?.delete(key).await)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Error> {
        let call = self.begin(calls::EXISTS, &bucket);
        noted(call, self.bucket(&bucket)?.exists(key).await)
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Result<store::KeyResponse, Error> {
        let call = self.begin(calls::KEYS, &bucket);
        let (keys, cursor) = noted(call, self.bucket(&bucket)?.keys_by_number(cursor.unwrap_or(0)).await)?;
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Result<u64, Error> {
        let call = self.begin(calls::INCREMENT, &bucket);
        let sum = noted(call, self.bucket(&bucket)?.increment(key, delta.into(), (0, u64::MAX.into())).await)?;
        u64::try_from(sum).map_err(|_| Error::Other("the sum would overflow".to_owned()))
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        let call = self.begin(calls::GET_MANY, &bucket);
        let values = noted(call, self.bucket(&bucket)?.get_many(keys.clone()).await)?;
        Ok(keys.into_iter().zip(values).map(|(key, value)| value.map(|value| (key, value))).collect())
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, key_values: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let call = self.begin(calls::SET_MANY, &bucket);
        noted(call, self.bucket(&bucket)?.set_many(key_values).await)
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<(), Error> {
        let call = self.begin(calls::DELETE_MANY, &bucket);
        noted(call, self.bucket(&bucket)?.delete_many(keys).await)
    }
}
