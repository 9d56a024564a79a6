//! `coracle schema`: the JSON Schema of the manifest, with the grants and stores of this build's plugins.

use crate::exit::{Exit, Failure};
use crate::output;

pub fn run() -> Result<Exit, Failure> {
    let plugins = coracle_plugins::all();
    let grants: Vec<_> = plugins.iter().map(|plugin| (plugin.name(), plugin.schema())).collect();
    let stores: Vec<_> = plugins.iter().filter_map(|plugin| plugin.store()).collect();
    output::json(&coracle_manifest::schema(&grants, &stores))?;
    Ok(Exit::Ok)
}
