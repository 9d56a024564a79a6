//! How calls of `wasi:keyvalue` are named in traces and figures, and how their ends are told. Keys and values never are: they are the
//! user's data.

use super::bucket::Error;
use coracle_host::{Ended, Function, HostCall};

macro_rules! functions {
    ($($id:ident = $interface:literal $name:literal $span:literal;)*) => {
        $(pub(super) const $id: Function =
            Function { grant: "keyvalue", interface: concat!("wasi:keyvalue/", $interface), name: $name, span: $span };)*
    };
}

functions! {
    OPEN = "store" "open" "kv open";
    GET = "store" "get" "kv get";
    SET = "store" "set" "kv set";
    DELETE = "store" "delete" "kv delete";
    EXISTS = "store" "exists" "kv exists";
    KEYS = "store" "list-keys" "kv list-keys";
    INCREMENT = "atomics" "increment" "kv increment";
    COMPARE = "atomics" "cas.new" "kv compare";
    SWAP = "atomics" "swap" "kv swap";
    GET_MANY = "batch" "get-many" "kv get-many";
    SET_MANY = "batch" "set-many" "kv set-many";
    DELETE_MANY = "batch" "delete-many" "kv delete-many";
}

/// Tells how a call ended, and passes its result on.
pub(super) fn noted<T>(call: HostCall, result: Result<T, Error>) -> Result<T, Error> {
    call.end(match &result {
        Ok(_) => Ended::Well,
        Err(Error::AccessDenied) => Ended::Denied,
        Err(Error::NoSuchStore) => Ended::Badly("no_such_store"),
        Err(Error::Other(_)) => Ended::Badly("other"),
        Err(Error::Handle(_)) => Ended::Badly("handle"),
    });
    result
}
