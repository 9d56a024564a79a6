//! `uses`: an interface that one component imports and another of the app exports. The call crosses over by value: each side
//! runs in a store of its own, in whatever language, with its own grants and limits, and when the one called dies, the call fails and
//! nothing else does.
//!
//! ```text
//! caller's import ─ values ─▶ neighbour's gate ─ an instance of its own ─▶ its export ─ values ─▶ caller
//!                                   any failure ─▶ `err(string)` where the function has such a result, else the caller's request fails
//! ```

use crate::guest::Guest;
use crate::link::LoadError;
use crate::neighbours::{Invocation, Neighbours};
use crate::spec::Use;
use std::sync::Arc;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, Val};

/// Another component could not answer; goes to the caller's log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unanswered(String);

/// Defines what a component uses of others in its own linker.
///
/// # Errors
/// When a function's values can't cross over.
pub(crate) fn link(
    linker: &mut Linker<Guest>,
    component: &Component,
    uses: &[Use],
    neighbours: &Arc<Neighbours>,
) -> Result<(), LoadError> {
    let engine = component.engine().clone();
    for (name, item) in component.component_type().imports(&engine) {
        let Some(used) = uses.iter().find(|used| used.covers(name)) else { continue };
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let mut defined = linker.instance(name).map_err(LoadError::Link)?;
        for (function, item) in instance.exports(&engine) {
            let remote = Remote {
                neighbours: Arc::clone(neighbours),
                component: Arc::clone(&used.component),
                interface: Arc::from(name),
                function: Arc::from(function),
            };
            match item.ty {
                ComponentItem::ComponentFunc(ty) if crosses(&ty) => {
                    define(&mut defined, function, &ty, remote).map_err(LoadError::Link)?;
                }
                ComponentItem::Type(_) => {}
                _ => return Err(LoadError::NotValues { interface: name.to_owned(), function: function.to_owned() }),
            }
        }
    }
    Ok(())
}

fn define(
    linker: &mut wasmtime::component::LinkerInstance<'_, Guest>,
    name: &str,
    ty: &ComponentFunc,
    remote: Remote,
) -> wasmtime::Result<()> {
    let remote = Arc::new(remote);
    if ty.async_() {
        return linker.func_new_concurrent(name, move |accessor, ty, params, results| {
            let remote = Arc::clone(&remote);
            Box::pin(async move {
                let depth = accessor.with(|mut store| enter(store.get()));
                deliver(remote.call(params, results.len(), depth).await, &ty, results)
            })
        });
    }
    linker.func_new_async(name, move |mut store, ty, params, results| {
        let remote = Arc::clone(&remote);
        let depth = enter(store.data_mut());
        Box::new(async move { deliver(remote.call(params, results.len(), depth).await, &ty, results) })
    })
}

/// The depth of a call from this guest. Nobody knows what the call does, so it is an effect.
fn enter(guest: &mut Guest) -> u32 {
    guest.tasks.effect();
    guest.outbound.depth() + 1
}

fn deliver(answer: Result<Vec<Val>, String>, ty: &ComponentFunc, results: &mut [Val]) -> wasmtime::Result<()> {
    match (answer, results) {
        (Ok(values), results) if values.len() == results.len() => {
            results.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
            Ok(())
        }
        (Ok(_), _) => Err(wasmtime::Error::new(Unanswered("it answered with another number of values".to_owned()))),
        (Err(text), [result]) if tells_by_text(ty) => {
            *result = Val::Result(Err(Some(Box::new(Val::String(text)))));
            Ok(())
        }
        (Err(text), _) => Err(wasmtime::Error::new(Unanswered(text))),
    }
}

/// Whether the function's own result can say in words that it went wrong.
fn tells_by_text(ty: &ComponentFunc) -> bool {
    matches!(ty.results().next(), Some(Type::Result(result)) if matches!(result.err(), Some(Type::String)))
}

/// Whether all of a function's values can leave a store.
fn crosses(ty: &ComponentFunc) -> bool {
    ty.params().all(|(_, ty)| is_value(&ty)) && ty.results().all(|ty| is_value(&ty))
}

fn is_value(ty: &Type) -> bool {
    match ty {
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => false,
        Type::List(list) => is_value(&list.ty()),
        Type::FixedLengthList(list) => is_value(&list.ty()),
        Type::Map(map) => is_value(&map.key()) && is_value(&map.value()),
        Type::Record(record) => record.fields().all(|field| is_value(&field.ty)),
        Type::Tuple(tuple) => tuple.types().all(|ty| is_value(&ty)),
        Type::Variant(variant) => variant.cases().all(|case| case.ty.is_none_or(|ty| is_value(&ty))),
        Type::Option(option) => is_value(&option.ty()),
        Type::Result(result) => [result.ok(), result.err()].into_iter().flatten().all(|ty| is_value(&ty)),
        _ => true,
    }
}

/// A function of another component.
struct Remote {
    neighbours: Arc<Neighbours>,
    component: Arc<str>,
    interface: Arc<str>,
    function: Arc<str>,
}

impl Remote {
    async fn call(&self, params: &[Val], results: usize, depth: u32) -> Result<Vec<Val>, String> {
        let name = &self.component;
        let neighbour = self.neighbours.find(name).ok_or_else(|| format!("`{name}` is not loaded"))?;
        let invocation = Invocation {
            interface: Arc::clone(&self.interface),
            function: Arc::clone(&self.function),
            params: params.to_vec(),
            results,
            depth,
        };
        neighbour.invoke(invocation).await
    }
}
