//! How deep component types are nested inside each other. wasmparser reads a type that contains a type by recursion
//! without a bound, so that a file of three bytes per level would overflow the stack and kill the process; this walk
//! finds that out first. It judges nothing else: what it can't read is left to the validator, which stops at the same byte.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType, ComponentTypeRef, CoreType,
    Result,
};

/// Whether a type in this component type section (its contents, from the count on) is nested deeper than `limit`.
pub(crate) fn exceeds(section: &[u8], limit: usize) -> bool {
    let mut reader = BinaryReader::new(section, 0);
    let Ok(count) = reader.read_var_u32() else {
        return false;
    };
    for _ in 0..count {
        match nested_too_deep(&mut reader, limit) {
            Ok(false) => {}
            Ok(true) => return true,
            Err(_) => return false,
        }
    }
    false
}

/// Reads one type. Component (0x41) and instance (0x42) types are lists of declarations, among them further types.
fn nested_too_deep(reader: &mut BinaryReader<'_>, levels: usize) -> Result<bool> {
    let mut ahead = reader.clone();
    if !matches!(ahead.read_u8()?, 0x41 | 0x42) {
        reader.read::<ComponentType<'_>>()?;
        return Ok(false);
    }
    let Some(levels) = levels.checked_sub(1) else {
        return Ok(true);
    };
    *reader = ahead;
    for _ in 0..reader.read_var_u32()? {
        match reader.read_u8()? {
            0x00 => {
                reader.read::<CoreType<'_>>()?;
            }
            0x01 => {
                if nested_too_deep(reader, levels)? {
                    return Ok(true);
                }
            }
            0x02 => {
                reader.read::<ComponentAlias<'_>>()?;
            }
            0x03 => {
                reader.read::<ComponentImport<'_>>()?;
            }
            _ => {
                reader.read::<ComponentExternName<'_>>()?;
                reader.read::<ComponentTypeRef>()?;
            }
        }
    }
    Ok(false)
}
