//! The search of raneto 0.16.0: reads every page, indexes its words by their stems, and answers with a list of the pages that
//! hold the words, each with an excerpt. As the application does, for every request anew.

use crate::Answer;
use pulldown_cmark::{Event, Parser};
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The application's page around a list of results; made by run.mjs from an answer of the application itself.
const PAGE: &str = "/content/.page";

struct Page {
    slug: String,
    title: String,
    text: String,
}

pub fn search(query: &str) -> Option<Answer> {
    let (_, wanted) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "search")?;
    let wanted: String = wanted.chars().filter(|c| !"&'\"/<>".contains(*c)).collect();
    let mut files = Vec::new();
    walk(Path::new("/content/content"), &mut files);
    let pages: Vec<Page> = files.iter().filter_map(|file| page(file)).collect();
    let stemmer = Stemmer::create(Algorithm::English);
    let mut index: HashMap<String, BTreeMap<usize, f64>> = HashMap::new();
    for (at, page) in pages.iter().enumerate() {
        for (words, weight) in [(&page.title, 2.0), (&page.text, 1.0)] {
            for word in words.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1) {
                let stem = stemmer.stem(&word.to_lowercase()).into_owned();
                *index.entry(stem).or_default().entry(at).or_default() += weight;
            }
        }
    }
    let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
    for word in wanted.split_whitespace() {
        let Some(found) = index.get(&*stemmer.stem(&word.to_lowercase())) else { continue };
        let rarity = (1.0 + pages.len() as f64 / found.len() as f64).ln();
        for (at, count) in found {
            *scores.entry(*at).or_default() += rarity * count / (count + 1.2);
        }
    }
    let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let results: String = ranked.iter().filter_map(|(at, _)| pages.get(*at)).map(|page| result(page, &wanted)).collect();
    let body = std::fs::read_to_string(PAGE).ok()?.replacen("@RESULTS@", &results, 1);
    Some(Answer { kind: "text/html; charset=utf-8", body })
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|it| it == "md") {
            files.push(path);
        }
    }
}

fn page(file: &Path) -> Option<Page> {
    let text = std::fs::read_to_string(file).ok()?;
    let slug = file.strip_prefix("/content/content").ok()?.with_extension("").to_string_lossy().into_owned();
    let title = text.lines().take(12).find_map(|line| line.strip_prefix("Title:")).map(|title| title.trim().to_owned());
    let title = title.unwrap_or_else(|| slug.rsplit('/').next().unwrap_or_default().replace('-', " "));
    Some(Page { slug, title, text })
}

/// A result: its excerpt is the page's text without markup, with the words marked.
fn result(page: &Page, wanted: &str) -> String {
    let body = page.text.split_once("*/").or(page.text.split_once("\n---\n")).map_or(page.text.as_str(), |(_, body)| body);
    let mut plain = String::new();
    for event in Parser::new(body) {
        match event {
            Event::Text(text) | Event::Code(text) => plain.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(_) => plain.push(' '),
            _ => {}
        }
    }
    let short: String = plain.chars().take(400).collect();
    let mut marked = String::new();
    let (lower, word) = (short.to_lowercase(), wanted.to_lowercase());
    let mut at = 0;
    while let Some(found) = lower.get(at..).and_then(|rest| rest.find(&word)).filter(|_| !word.is_empty()) {
        let (start, end) = (at + found, at + found + word.len());
        marked.push_str(short.get(at..start).unwrap_or_default());
        marked.push_str(&format!("<span class=\"search-query\">{}</span>", short.get(start..end).unwrap_or_default()));
        at = end;
    }
    marked.push_str(short.get(at..).unwrap_or_default());
    format!(
        "<div class=\"page\"><h2 class=\"page-title\"><a href=\"/{}\">{}</a></h2><div class=\"page-excerpt\">{marked}</div></div>\n",
        page.slug, page.title
    )
}
