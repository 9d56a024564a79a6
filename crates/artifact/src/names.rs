//! Names that wasmparser 0.254 panics at, found before it sees them: an interface's name with a colon behind its slash, such as
//! `wasi:http/types@0:2`. None of them is valid. Looked for on all levels, in types too.

use wasmparser::{
    ComponentExternName, ComponentType, ComponentTypeDeclaration, ComponentTypeSectionReader, InstanceTypeDeclaration,
    Payload,
};

/// The first such name that a section holds. Types must have been found not to be nested too deeply.
pub(crate) fn broken<'a>(payload: &Payload<'a>) -> Option<&'a str> {
    match payload {
        Payload::ComponentImportSection(section) => {
            section.clone().into_iter().map_while(Result::ok).find_map(|import| one(&import.name))
        }
        Payload::ComponentExportSection(section) => {
            section.clone().into_iter().map_while(Result::ok).find_map(|export| one(&export.name))
        }
        Payload::ComponentTypeSection(section) => in_types(section.clone()),
        _ => None,
    }
}

fn in_types(section: ComponentTypeSectionReader<'_>) -> Option<&str> {
    section.into_iter().map_while(Result::ok).find_map(|declared| in_type(&declared))
}

fn in_type<'a>(declared: &ComponentType<'a>) -> Option<&'a str> {
    match declared {
        ComponentType::Component(declarations) => declarations.iter().find_map(|declaration| match declaration {
            ComponentTypeDeclaration::Type(inner) => in_type(inner),
            ComponentTypeDeclaration::Import(import) => one(&import.name),
            ComponentTypeDeclaration::Export { name, .. } => one(name),
            _ => None,
        }),
        ComponentType::Instance(declarations) => declarations.iter().find_map(|declaration| match declaration {
            InstanceTypeDeclaration::Type(inner) => in_type(inner),
            InstanceTypeDeclaration::Export { name, .. } => one(name),
            _ => None,
        }),
        _ => None,
    }
}

fn one<'a>(name: &ComponentExternName<'a>) -> Option<&'a str> {
    let name = name.name;
    // Other kinds of names, such as `url=<https://…>`, may have colons anywhere.
    let interface = !name.contains('=');
    let slash = name.find('/').filter(|_| interface)?;
    name.get(slash..)?.contains(':').then_some(name)
}
