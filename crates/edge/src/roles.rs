//! What a component has to be for the part it plays in an app: a server behind a route, a middleware before one, a library that others
//! use. Decided from names alone, before anything is compiled. Called by `load`.

use coracle_artifact::{Admitted, World};
use coracle_manifest::{App, Component, Diagnostic, Target, Use};

/// Whether a `uses` means an import or export of this name.
pub fn covers(used: &Use, name: &str) -> bool {
    coracle_host::Use { interface: used.interface.clone(), component: "".into() }.covers(name)
}

/// Checks a component against its parts.
///
/// # Errors
/// With what it lacks, and where the manifest asks for it.
#[expect(clippy::result_large_err, reason = "made once a component and load")]
pub fn check(app: &App, component: &Component, admitted: &Admitted) -> Result<(), Diagnostic> {
    let name = &component.name;
    let error = |text: String| Diagnostic::error("component", format!("component `{name}`: {text}"));
    let this = Target::Component(name.clone());
    let routed = app.routes.iter().any(|route| {
        let targets = [route.to.target(), route.fallback.clone()];
        targets.into_iter().flatten().any(|target| target == this)
    });
    let links = app.routes.iter().any(|route| route.middleware.contains(name));
    let used: Vec<_> =
        app.components.values().flat_map(|other| &other.uses).filter(|used| used.component == *name).collect();
    if links && admitted.world != World::HttpMiddleware03 {
        let text = format!(
            "a middleware has to export and import `wasi:http/handler` (0.3), and this is {}; name it as `to` of a route instead",
            admitted.world
        );
        return Err(error(text));
    }
    for used in &used {
        if !admitted.exports.iter().any(|export| covers(used, &export.to_string())) {
            return Err(error(format!("it does not export `{}`, which another component uses of it", used.interface))
                .at(used.span));
        }
    }
    // What nobody reaches has to be a server too: it is most likely to become one.
    if routed || (!links && used.is_empty()) {
        admitted.serve().map_err(|refusal| error(refusal.to_string()))?;
    }
    Ok(())
}
