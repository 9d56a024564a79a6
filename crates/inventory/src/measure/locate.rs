//! From a position that V8 names to a place of the code: by file, line and column, through source maps where what ran was
//! built from something else.

use super::profile::Frame;
use crate::facts::NodeKind;
use crate::graph::{Graph, Place};
use crate::syntax::Lines;
use crate::walk::File;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};

/// A file's text as needed to find a position in it.
struct Text {
    source: String,
    lines: Lines,
}

pub struct Locate<'g> {
    pub graph: &'g Graph<'g>,
    files: FxHashMap<PathBuf, u32>,
    texts: FxHashMap<u32, Option<Text>>,
    maps: FxHashMap<PathBuf, Option<sourcemap::SourceMap>>,
    known: FxHashMap<Frame, Option<Place>>,
}

impl<'g> Locate<'g> {
    pub fn new(graph: &'g Graph<'g>) -> Self {
        let files = graph.sources().files.iter().zip(0_u32..);
        let files = files.map(|(file, number)| (file.path.clone(), number)).collect();
        let (texts, maps, known) = Default::default();
        Self { graph, files, texts, maps, known }
    }

    pub fn file(&self, place: Place) -> Option<&'g File> {
        self.graph.sources().files.get(place.file as usize)
    }

    /// The package of a file outside of the graph or in it, by its path; none for the project's own.
    pub fn package(&self, url: &str) -> Option<String> {
        let path = url.strip_prefix("file://").unwrap_or(url);
        let (_, inside) = path.rsplit_once("/node_modules/")?;
        let parts = if inside.starts_with('@') { 2 } else { 1 };
        Some(inside.split('/').take(parts).collect::<Vec<_>>().join("/"))
    }

    /// The innermost function around a frame's position.
    pub fn frame(&mut self, frame: &Frame) -> Option<Place> {
        if let Some(known) = self.known.get(frame) {
            return *known;
        }
        let found = self.find(frame);
        self.known.insert(frame.clone(), found);
        found
    }

    fn find(&mut self, frame: &Frame) -> Option<Place> {
        let path = path_of(&frame.url)?;
        let line = u32::try_from(frame.line_number).ok()?;
        let column = u32::try_from(frame.column_number).ok()?;
        if let Some(file) = self.files.get(&path).copied() {
            let offset = self.offset(file, line, column)?;
            return self.innermost(file, offset);
        }
        let (path, line, column) = self.original(&path, line, column)?;
        let file = self.files.get(&path).copied()?;
        let offset = self.offset(file, line, column)?;
        self.innermost(file, offset)
    }

    /// Where a built position came from.
    fn original(&mut self, built: &Path, line: u32, column: u32) -> Option<(PathBuf, u32, u32)> {
        let map = self.maps.entry(built.to_path_buf()).or_insert_with(|| source_map(built)).as_ref()?;
        let token = map.lookup_token(line, column)?;
        let source = token.get_source()?;
        let source = source.strip_prefix("file://").unwrap_or(source);
        let path = built.parent()?.join(source).canonicalize().ok()?;
        Some((path, token.get_src_line(), token.get_src_col()))
    }

    fn text(&mut self, file: u32) -> Option<&Text> {
        let graph = self.graph;
        let read = || {
            let path = &graph.sources().files.get(file as usize)?.path;
            let source = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
            let lines = Lines::of(&source);
            Some(Text { source, lines })
        };
        self.texts.entry(file).or_insert_with(read).as_ref()
    }

    /// The byte offset of a line (from 0) and a column in UTF-16 units.
    fn offset(&mut self, file: u32, line: u32, column: u32) -> Option<u32> {
        let text = self.text(file)?;
        let start = text.lines.start(line.checked_add(1)?)?;
        let rest = text.source.get(start as usize..)?;
        let mut units = 0;
        for (at, c) in rest.char_indices() {
            if units >= column || c == '\n' {
                return start.checked_add(u32::try_from(at).ok()?);
            }
            units += c.len_utf16() as u32;
        }
        u32::try_from(text.source.len()).ok()
    }

    /// The innermost function around a byte offset; the module's body outside of all.
    fn innermost(&self, file: u32, offset: u32) -> Option<Place> {
        let nodes = &self.graph.sources().files.get(file as usize)?.facts.nodes;
        let around = nodes
            .iter()
            .enumerate()
            .filter(|(at, node)| *at == 0 || function(node.kind) && (node.start..node.end).contains(&offset));
        let (node, _) = around.min_by_key(|(at, node)| if *at == 0 { u32::MAX } else { node.end - node.start })?;
        Some(Place { file, node: u32::try_from(node).ok()? })
    }

    /// The function of a file that ends where V8 says it ends.
    pub fn function(&mut self, url: &str, start: u64, end: u64) -> Option<Place> {
        let file = self.files.get(&path_of(url)?).copied()?;
        let end = self.unit_offset(file, end)?;
        let start = self.unit_offset(file, start)?;
        let nodes = &self.graph.sources().files.get(file as usize)?.facts.nodes;
        let ending = nodes.iter().enumerate().filter(|(_, node)| function(node.kind) && node.end == end);
        let (node, _) = ending.min_by_key(|(_, node)| node.start.abs_diff(start))?;
        Some(Place { file, node: u32::try_from(node).ok()? })
    }

    /// The byte offset of an offset in UTF-16 units.
    fn unit_offset(&mut self, file: u32, units: u64) -> Option<u32> {
        let text = self.text(file)?;
        if text.source.is_ascii() {
            return u32::try_from(units).ok();
        }
        let mut seen = 0;
        for (at, c) in text.source.char_indices() {
            if seen >= units {
                return u32::try_from(at).ok();
            }
            seen += c.len_utf16() as u64;
        }
        u32::try_from(text.source.len()).ok()
    }
}

fn function(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Function | NodeKind::Method)
}

/// The path behind a URL of V8.
fn path_of(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    if !path.starts_with('/') {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let path = PathBuf::from(decoded.into_owned());
    Some(path.canonicalize().unwrap_or(path))
}

/// The source map beside a built file, or inside of it.
fn source_map(built: &Path) -> Option<sourcemap::SourceMap> {
    const LARGEST: u64 = 64 << 20;
    let read = |path: &Path| -> Option<Vec<u8>> {
        (path.metadata().ok()?.len() <= LARGEST).then(|| std::fs::read(path).ok()).flatten()
    };
    let bytes = read(built)?;
    let reference = sourcemap::locate_sourcemap_reference_slice(&bytes).ok()??;
    if let Ok(Some(sourcemap::DecodedMap::Regular(map))) = reference.get_embedded_sourcemap() {
        return Some(map);
    }
    let beside = built.parent()?.join(reference.get_url());
    sourcemap::SourceMap::from_slice(&read(&beside)?).ok()
}
