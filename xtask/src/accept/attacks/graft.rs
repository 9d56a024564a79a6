//! Hostile components made from a harmless one: core modules are appended to it and instantiated with it, so that what they
//! declare or do at their start is part of each of its instances.
//!
//! A component is a sequence of sections that may come in any order and number, so nothing of the original has to be
//! understood but how many core modules it has: the new ones are numbered after them.

use anyhow::{Context, Result, ensure};

/// The ids of sections in a component (component model, binary format).
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;

/// The component with core modules, each given as text, instantiated after all else.
pub fn graft(component: &[u8], modules: &[String]) -> Result<Vec<u8>> {
    let mut grown = component.to_vec();
    let first = count(component, CORE_MODULE)?;
    for (number, text) in (first..).zip(modules) {
        let module = wat::parse_str(text).context("a grafted module is no WebAssembly")?;
        section(&mut grown, CORE_MODULE, &module);
        // One instance: instantiate (0x00) this module with no arguments.
        let mut instance = vec![1, 0];
        leb128(&mut instance, number);
        instance.push(0);
        section(&mut grown, CORE_INSTANCE, &instance);
    }
    Ok(grown)
}

fn section(to: &mut Vec<u8>, id: u8, content: &[u8]) {
    to.push(id);
    leb128(to, content.len());
    to.extend_from_slice(content);
}

fn leb128(to: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push((value & 0x7f) as u8);
}

/// How many sections of this kind the outermost component has.
fn count(component: &[u8], id: u8) -> Result<usize> {
    let mut rest = component.get(8..).context("shorter than a header")?;
    let mut count = 0;
    while let Some((kind, after)) = rest.split_first() {
        let (mut length, mut shift, mut bytes) = (0_usize, 0, after.iter());
        loop {
            let byte = *bytes.next().context("a section's length breaks off")?;
            ensure!(shift < 35, "a section's length is no LEB128");
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        count += usize::from(*kind == id);
        rest = bytes.as_slice().get(length..).context("a section breaks off")?;
    }
    Ok(count)
}

/// Loops for ever while the component is being instantiated.
pub fn spins_at_start() -> Vec<String> {
    vec!["(module (func $s (loop $l br $l)) (start $s))".to_owned()]
}

/// Traps while the component is being instantiated.
pub fn traps_at_start() -> Vec<String> {
    vec!["(module (func $s unreachable) (start $s))".to_owned()]
}

/// Many memories, each of which grows page by page to 2.5 MiB and touches them all.
pub fn many_memories(count: usize) -> Vec<String> {
    let one = "(module (memory 1) (func $s (local $p i32) (loop $l
        (local.set $p (memory.grow (i32.const 1)))
        (if (i32.lt_u (local.get $p) (i32.const 40)) (then
          (i32.store (i32.mul (local.get $p) (i32.const 65536)) (i32.const 1))
          (br $l))))) (start $s))";
    vec![one.to_owned(); count]
}

/// Tables that grow as far as they may.
pub fn growing_tables(count: usize) -> Vec<String> {
    let one = "(module (table $t 1 funcref) (func $s
        (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 64)) (i32.const -1))))) (start $s))";
    vec![one.to_owned(); count]
}

/// A memory of 2 GiB from the beginning.
pub fn large_memory() -> Vec<String> {
    vec!["(module (memory 32768))".to_owned()]
}

/// One function with many calls, two bytes each, that takes the compiler a thousand times as much memory.
pub fn many_calls(count: usize) -> Vec<String> {
    vec![format!("(module (func {}))", "call 0 ".repeat(count))]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn modules_are_appended_with_instances_of_their_own() {
        let component =
            wat::parse_str("(component (core module) (core module $m) (core instance (instantiate $m)))").unwrap();
        assert_eq!(count(&component, CORE_MODULE).unwrap(), 2);
        let all = [spins_at_start(), traps_at_start(), many_memories(3), growing_tables(2), large_memory()].concat();
        let grown = graft(&component, &all).unwrap();
        assert_eq!(count(&grown, CORE_MODULE).unwrap(), 2 + all.len());
        assert!(grown.starts_with(&component));
        // The second of them is instantiated as number 3.
        let instance = [CORE_INSTANCE, 4, 1, 0, 3, 0];
        assert!(grown.windows(6).any(|window| window == instance));
        assert!(count(&grown[..grown.len() - 1], CORE_MODULE).is_err());
    }
}
